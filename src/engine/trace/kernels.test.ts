/**
 * Every recorded kernel against tfjs's eager CPU backend, in value and in gradient (of a weighted sum of the outputs, so that each
 * output element counts differently).
 */
import { tf } from '../tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { stopGradient, valueAndGradients } from '../autodiff.js';
import { compile, type Feeds, type Specs } from '../compile.js';
import { RandomStream } from '../random.js';
import { registeredKernels } from './index.js';

interface Case {
  /** The kernel that must be among those that the function or its gradient runs. */
  kernel: string;
  name?: string;
  /** Shapes of float inputs; values are normal, or those given. */
  inputs: Record<string, number[] | { shape: number[]; values: number[] }>;
  run(t: Record<string, tf.Tensor>): tf.Tensor;
  /** No gradient: the output is not differentiable. */
  valueOnly?: boolean;
  /** Inputs are made positive. */
  positive?: boolean;
}

const ids = (values: number[], shape: number[]) => tf.tensor(values, shape, 'int32');

const cases: Case[] = [
  { kernel: 'Add', inputs: { a: [3, 1, 4], b: [5, 1] }, run: ({ a, b }) => tf.add(a!, b!) },
  { kernel: 'Sub', inputs: { a: [3, 4], b: [4] }, run: ({ a, b }) => tf.sub(a!, b!) },
  { kernel: 'Multiply', inputs: { a: [3, 1], b: [1, 4] }, run: ({ a, b }) => tf.mul(a!, b!) },
  { kernel: 'RealDiv', inputs: { a: [3, 4], b: [3, 1] }, run: ({ a, b }) => tf.div(a!, b!) },
  { kernel: 'Maximum', inputs: { a: [3, 4], b: [3, 4] }, run: ({ a, b }) => tf.maximum(a!, b!) },
  { kernel: 'Minimum', inputs: { a: [3, 4], b: [3, 4] }, run: ({ a, b }) => tf.minimum(a!, b!) },
  { kernel: 'Pow', inputs: { a: [3, 4], b: [4] }, positive: true, run: ({ a, b }) => tf.pow(a!, b!) },
  {
    kernel: 'SquaredDifference',
    inputs: { a: [3, 4], b: [3, 4] },
    run: ({ a, b }) => tf.squaredDifference(a!, b!),
  },
  { kernel: 'Greater', valueOnly: true, inputs: { a: [9], b: [9] }, run: ({ a, b }) => tf.greater(a!, b!) },
  {
    kernel: 'GreaterEqual',
    valueOnly: true,
    inputs: { a: [9], b: [1] },
    run: ({ a, b }) => tf.greaterEqual(a!, b!),
  },
  { kernel: 'Less', valueOnly: true, inputs: { a: [9], b: [9] }, run: ({ a, b }) => tf.less(a!, b!) },
  {
    kernel: 'LessEqual',
    valueOnly: true,
    inputs: { a: [9], b: [9] },
    run: ({ a, b }) => tf.lessEqual(a!, b!),
  },
  {
    kernel: 'Equal',
    valueOnly: true,
    inputs: { a: { shape: [4], values: [1, 2, 3, 4] } },
    run: ({ a }) => tf.equal(tf.cast(a!, 'int32'), ids([1, 0, 3, 0], [4])),
  },
  {
    kernel: 'NotEqual',
    valueOnly: true,
    inputs: { a: { shape: [4], values: [1, 2, 3, 4] } },
    run: ({ a }) => tf.notEqual(tf.cast(a!, 'int32'), ids([1, 0, 3, 0], [4])),
  },
  {
    kernel: 'LogicalAnd',
    valueOnly: true,
    inputs: { a: [9], b: [9] },
    run: ({ a, b }) => tf.logicalAnd(tf.greater(a!, 0), tf.greater(b!, 0)),
  },
  {
    kernel: 'LogicalOr',
    valueOnly: true,
    inputs: { a: [9], b: [9] },
    run: ({ a, b }) => tf.logicalOr(tf.greater(a!, 0), tf.greater(b!, 0)),
  },
  {
    kernel: 'LogicalNot',
    valueOnly: true,
    inputs: { a: [9] },
    run: ({ a }) => tf.logicalNot(tf.greater(a!, 0)),
  },
  { kernel: 'Neg', inputs: { a: [5] }, run: ({ a }) => tf.neg(a!) },
  { kernel: 'Exp', inputs: { a: [5] }, run: ({ a }) => tf.exp(a!) },
  { kernel: 'Log', inputs: { a: [5] }, positive: true, run: ({ a }) => tf.log(a!) },
  { kernel: 'Log1p', inputs: { a: [5] }, positive: true, run: ({ a }) => tf.log1p(a!) },
  { kernel: 'Sqrt', inputs: { a: [5] }, positive: true, run: ({ a }) => tf.sqrt(a!) },
  { kernel: 'Rsqrt', inputs: { a: [5] }, positive: true, run: ({ a }) => tf.rsqrt(a!) },
  { kernel: 'Reciprocal', inputs: { a: [5] }, positive: true, run: ({ a }) => tf.reciprocal(a!) },
  { kernel: 'Square', inputs: { a: [5] }, run: ({ a }) => tf.square(a!) },
  {
    kernel: 'Sigmoid',
    inputs: { a: { shape: [5], values: [-90, -1, 0, 2, 90] } },
    run: ({ a }) => tf.sigmoid(a!),
  },
  { kernel: 'Tanh', inputs: { a: [5] }, run: ({ a }) => tf.tanh(a!) },
  { kernel: 'Relu', inputs: { a: [9] }, run: ({ a }) => tf.relu(a!) },
  { kernel: 'Step', inputs: { a: [9] }, run: ({ a }) => tf.relu(a!) },
  {
    kernel: 'Step',
    name: 'with a slope',
    valueOnly: true,
    inputs: { a: [9] },
    run: ({ a }) => tf.step(a!, 0.25),
  },
  {
    kernel: 'Softplus',
    inputs: { a: { shape: [6], values: [-200, -20, -1, 0.5, 20, 200] } },
    run: ({ a }) => tf.softplus(a!),
  },
  { kernel: 'Abs', inputs: { a: [5] }, run: ({ a }) => tf.abs(a!) },
  { kernel: 'Sign', valueOnly: true, inputs: { a: [5] }, run: ({ a }) => tf.sign(a!) },
  { kernel: 'Floor', valueOnly: true, inputs: { a: [5] }, run: ({ a }) => tf.floor(a!) },
  { kernel: 'ClipByValue', inputs: { a: [9] }, run: ({ a }) => tf.clipByValue(a!, -0.5, 0.5) },
  {
    kernel: 'Cast',
    inputs: { a: [9] },
    run: ({ a }) => tf.mul(a!, tf.cast(tf.greater(stopGradient(a!), 0), 'float32')),
  },
  { kernel: 'Identity', inputs: { a: [9] }, run: ({ a }) => tf.clone(a!) },
  {
    kernel: 'Select',
    inputs: { a: [3, 4], b: [3, 4] },
    run: ({ a, b }) => tf.where(tf.greater(stopGradient(a!), 0), a!, b!),
  },
  { kernel: 'AddN', inputs: { a: [3], b: [3] }, run: ({ a, b }) => tf.addN([a!, b!, a!]) },
  { kernel: 'Fill', valueOnly: true, inputs: { a: [2, 3] }, run: ({ a }) => tf.add(a!, tf.fill([2, 3], 7)) },
  { kernel: 'ZerosLike', valueOnly: true, inputs: { a: [2, 3] }, run: ({ a }) => tf.zerosLike(a!) },
  { kernel: 'OnesLike', valueOnly: true, inputs: { a: [2, 3] }, run: ({ a }) => tf.onesLike(a!) },
  { kernel: 'Sum', inputs: { a: [3, 4, 2] }, run: ({ a }) => tf.sum(a!, [0, 2]) },
  {
    kernel: 'Sum',
    name: 'keeping dimensions',
    inputs: { a: [3, 4, 2] },
    run: ({ a }) => tf.sum(a!, 1, true),
  },
  { kernel: 'Mean', inputs: { a: [3, 4, 2] }, run: ({ a }) => tf.mean(a!, 1) },
  { kernel: 'Max', inputs: { a: [3, 4] }, run: ({ a }) => tf.max(a!, 1) },
  { kernel: 'Min', inputs: { a: [3, 4] }, run: ({ a }) => tf.min(a!, 1) },
  { kernel: 'Softmax', inputs: { a: [3, 4] }, run: ({ a }) => tf.softmax(a!) },
  {
    kernel: 'Softmax',
    name: 'of extreme logits',
    inputs: { a: { shape: [2, 3], values: [-1e9, 0, 1, 1e4, -1e4, 0] } },
    run: ({ a }) => tf.softmax(a!),
  },
  { kernel: 'LogSoftmax', inputs: { a: [3, 4] }, run: ({ a }) => tf.logSoftmax(a!) },
  {
    kernel: 'ArgMin',
    valueOnly: true,
    inputs: { a: { shape: [2, 4], values: [3, 1, 1, 2, 0, 5, 0, 1] } },
    run: ({ a }) => tf.argMin(a!, 1),
  },
  {
    kernel: 'ArgMax',
    valueOnly: true,
    inputs: { a: { shape: [2, 4], values: [3, 1, 3, 2, 0, 5, 5, 1] } },
    run: ({ a }) => tf.argMax(a!, 1),
  },
  { kernel: 'Cumsum', inputs: { a: [3, 4] }, run: ({ a }) => tf.cumsum(a as tf.Tensor2D, 1, true) },
  { kernel: 'Reshape', inputs: { a: [3, 4] }, run: ({ a }) => tf.reshape(a!, [2, -1]) },
  { kernel: 'ExpandDims', inputs: { a: [3, 4] }, run: ({ a }) => tf.expandDims(a!, 1) },
  { kernel: 'Transpose', inputs: { a: [3, 4, 2] }, run: ({ a }) => tf.transpose(a!, [2, 0, 1]) },
  { kernel: 'Concat', inputs: { a: [3, 4], b: [3, 2] }, run: ({ a, b }) => tf.concat([a!, b!], 1) },
  { kernel: 'Slice', inputs: { a: [3, 4, 5] }, run: ({ a }) => tf.slice(a!, [1, 0, 2], [2, -1, 2]) },
  {
    kernel: 'PadV2',
    inputs: { a: [3, 4] },
    run: ({ a }) =>
      tf.pad(
        a!,
        [
          [1, 0],
          [0, 2],
        ],
        3,
      ),
  },
  {
    kernel: 'SplitV',
    inputs: { a: [3, 5] },
    run: ({ a }) => {
      const [x, y] = tf.split(a!, [2, 3], 1);
      return tf.matMul(x!, y!, true);
    },
  },
  { kernel: 'Pack', inputs: { a: [3], b: [3] }, run: ({ a, b }) => tf.stack([a!, b!], 1) },
  {
    kernel: 'Unpack',
    inputs: { a: [3, 2] },
    run: ({ a }) => {
      const [x, y] = tf.unstack(a!, 1);
      return tf.mul(x!, y!);
    },
  },
  { kernel: 'Tile', inputs: { a: [3, 2] }, run: ({ a }) => tf.tile(a!, [2, 3]) },
  {
    kernel: 'Tile',
    name: 'over leading axes of one',
    inputs: { a: [1, 3, 2] },
    run: ({ a }) => tf.tile(a!, [4, 1, 1]),
  },
  { kernel: 'BroadcastTo', inputs: { a: [3, 1] }, run: ({ a }) => tf.broadcastTo(a!, [3, 4]) },
  { kernel: 'BatchMatMul', inputs: { a: [3, 4], b: [4, 2] }, run: ({ a, b }) => tf.matMul(a!, b!) },
  {
    kernel: 'BatchMatMul',
    name: 'transposed, plain',
    inputs: { a: [4, 3], b: [2, 4] },
    run: ({ a, b }) => tf.matMul(a!, b!, true, true),
  },
  {
    kernel: 'BatchMatMul',
    name: 'batched',
    inputs: { a: [2, 3, 4], b: [2, 4, 5] },
    run: ({ a, b }) => tf.matMul(a!, b!),
  },
  {
    kernel: 'BatchMatMul',
    name: 'batched, transposed',
    inputs: { a: [2, 4, 3], b: [2, 5, 4] },
    run: ({ a, b }) => tf.matMul(a!, b!, true, true),
  },
  {
    kernel: 'BatchMatMul',
    name: 'of rank four',
    inputs: { a: [2, 3, 4, 5], b: [2, 3, 6, 5] },
    run: ({ a, b }) => tf.matMul(a!, b!, false, true),
  },
  {
    kernel: 'BatchMatMul',
    name: 'of a batch of one',
    inputs: { a: [1, 3, 4], b: [1, 4, 2] },
    run: ({ a, b }) => tf.matMul(a!, b!),
  },
  {
    kernel: 'GatherV2',
    inputs: { a: [5, 3] },
    run: ({ a }) => tf.gather(a!, ids([4, 0, 4, 1, 4, 4], [2, 3])),
  },
  {
    kernel: 'GatherV2',
    name: 'along a later axis',
    inputs: { a: [2, 5, 3] },
    run: ({ a }) => tf.gather(a!, ids([4, 0, 4], [3]), 1),
  },
  {
    kernel: 'UnsortedSegmentSum',
    inputs: { a: [5, 3] },
    run: ({ a }) => tf.unsortedSegmentSum(a!, ids([1, 0, 1, 3, 1], [5]) as tf.Tensor1D, 4),
  },
  {
    kernel: 'TensorScatterUpdate',
    valueOnly: true,
    inputs: { a: [5, 3], b: [2, 3] },
    run: ({ a, b }) => tf.tensorScatterUpdate(a!, ids([3, 0], [2, 1]), b!),
  },
  {
    kernel: 'OneHot',
    inputs: { a: [3, 4] },
    run: ({ a }) => tf.matMul(tf.oneHot(ids([2, 0, 2, 1], [4]), 3), a!),
  },
];

/** The case's function, as outputs by name: the value, and unless it has none, the gradient for each input. */
function outputsOf(testCase: Case) {
  return (inputs: Readonly<Record<string, tf.Tensor>>): Record<string, tf.Tensor> => {
    if (testCase.valueOnly) return { value: testCase.run(inputs) };
    let output: tf.Tensor | undefined;
    const weighted = () => {
      output = testCase.run(inputs);
      const weights = tf.tensor(RandomStream.of(2, testCase.kernel).normals(output.size), output.shape);
      return tf.sum<tf.Scalar>(tf.mul(output, weights));
    };
    const { value, gradients } = valueAndGradients(weighted, Object.values(inputs));
    const names = Object.keys(inputs);
    return { sum: value, ...Object.fromEntries(gradients.map((gradient, i) => [`d${names[i]!}`, gradient])) };
  };
}

function materialise(testCase: Case): { specs: Specs; feeds: Feeds } {
  const stream = RandomStream.of(1, testCase.kernel + (testCase.name ?? ''));
  const specs: Record<string, Specs[string]> = {};
  const feeds: Record<string, Float32Array> = {};
  for (const [name, input] of Object.entries(testCase.inputs)) {
    const shape = Array.isArray(input) ? input : input.shape;
    const length = shape.reduce((a, b) => a * b, 1);
    const values = Array.isArray(input) ? stream.normals(length) : Float32Array.from(input.values);
    specs[name] = { shape, dtype: 'float32' };
    feeds[name] = testCase.positive ? values.map((v) => Math.abs(v) + 0.5) : values;
  }
  return { specs, feeds };
}

describe('every recorded kernel agrees with tfjs on the CPU, in value and gradient', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  it.each(cases.map((testCase) => [`${testCase.kernel} ${testCase.name ?? ''}`.trim(), testCase] as const))(
    '%s',
    async (_, testCase) => {
      const { specs, feeds } = materialise(testCase);
      const fn = outputsOf(testCase);
      const compiled = await compile(testCase.kernel, specs, fn, { provider: 'cpu', threads: 1 });
      const traced = await compiled.run(feeds);
      await compiled.release();

      const eager = fn(
        Object.fromEntries(
          Object.entries(specs).map(([name, spec]) => [name, tf.tensor(feeds[name]!, [...spec.shape])]),
        ),
      );
      expect(Object.keys(traced).toSorted()).toEqual(Object.keys(eager).toSorted());
      for (const [name, tensor] of Object.entries(eager)) {
        const expected = tensor.dataSync();
        const scale = Math.max(1, ...Array.from(expected, Math.abs));
        const worst = Math.max(0, ...Array.from(traced[name]!, (value, i) => Math.abs(value - expected[i]!)));
        expect(worst / scale, name).toBeLessThan(2e-6);
      }
    },
  );

  it('each registered kernel has a case', () => {
    const covered = new Set(cases.map((testCase) => testCase.kernel));
    expect(registeredKernels.filter((name) => !covered.has(name))).toEqual([]);
    expect(registeredKernels.length).toBeGreaterThan(50);
  });
});
