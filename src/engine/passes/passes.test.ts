/**
 * Each pass on a function made for it: that it does what it says, and that the outputs are those of the graph without it. The same
 * difference over a whole training step of the student: models/passes.test.ts.
 */
import { tf } from '../tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradients } from '../autodiff.js';
import { compile, type CompiledGraph, type Feeds, type Specs } from '../compile.js';
import { RandomStream } from '../random.js';
import { passes } from './index.js';

interface Case {
  pass: string;
  name: string;
  inputs: Record<string, number[]>;
  run: (t: Record<string, tf.Tensor>) => tf.Tensor;
  /** Operations of the graph with the pass, in order. `null`: the pass must not act. */
  ops: readonly string[] | null;
}

/** Rows added up at their places among four: the gradient of a look-up. */
const scattered = (rows: tf.Tensor, places: number[]) =>
  tf.unsortedSegmentSum(rows, tf.tensor1d(places, 'int32'), 4);

const cases: Case[] = [
  {
    pass: 'gemm_sums',
    name: 'gives the bias to the product',
    inputs: { a: [3, 4], b: [4, 2], c: [2] },
    run: ({ a, b, c }) => tf.add(tf.matMul(a!, b!), c!),
    ops: ['Gemm', 'Identity'],
  },
  {
    pass: 'gemm_sums',
    name: 'leaves a product alone that something else reads',
    inputs: { a: [3, 4], b: [4, 2], c: [2] },
    run: ({ a, b, c }) => {
      const product = tf.matMul(a!, b!);
      return tf.mul(tf.add(product, c!), product);
    },
    ops: null,
  },
  {
    pass: 'gemm_sums',
    name: 'adds what has one value a row',
    inputs: { a: [3, 4], b: [4, 3], c: [3, 1] },
    run: ({ a, b, c }) => tf.add(tf.matMul(a!, b!), c!),
    ops: ['Gemm', 'Identity'],
  },
  {
    pass: 'gemm_sums',
    name: 'adds up products as it writes them, each with its factor and sign',
    inputs: { a: [3, 4], b: [4, 2], c: [3, 2], d: [2, 2] },
    run: ({ a, b, c, d }) => tf.sub(tf.mul(tf.matMul(a!, b!), 2), tf.mul(0.5, tf.matMul(c!, d!))),
    ops: ['Gemm', 'Gemm', 'Identity'],
  },
  {
    pass: 'gemm_sums',
    name: 'takes away from a product',
    inputs: { a: [3, 4], b: [4, 2], c: [3, 2] },
    run: ({ a, b, c }) => tf.sub(tf.matMul(a!, b!), c!),
    ops: ['Gemm', 'Identity'],
  },
  {
    pass: 'gemm_sums',
    name: 'leaves a sum alone that is wider than the product',
    inputs: { a: [1, 4], b: [4, 2], c: [3, 2] },
    run: ({ a, b, c }) => tf.add(tf.matMul(a!, b!), c!),
    ops: null,
  },
  {
    pass: 'cancelled',
    name: 'leaves out what is added and taken away again',
    inputs: { a: [3, 4], b: [3, 4] },
    run: ({ a, b }) => tf.neg(tf.add(a!, tf.sub(b!, a!))),
    ops: ['Neg', 'Identity'],
  },
  {
    pass: 'cancelled',
    name: 'leaves out a difference of a value to itself',
    inputs: { a: [3, 4], b: [3, 4] },
    run: ({ a, b }) => tf.neg(tf.add(tf.sub(b!, b!), a!)),
    ops: ['Neg', 'Identity'],
  },
  {
    pass: 'cancelled',
    name: 'leaves a sum alone that is wider than what stays',
    inputs: { a: [3, 4], b: [1, 4] },
    run: ({ a, b }) => tf.add(a!, tf.sub(b!, a!)),
    ops: null,
  },
  {
    pass: 'cancelled',
    name: 'leaves a difference alone that is taken the other way round',
    inputs: { a: [3, 4], b: [3, 4] },
    run: ({ a, b }) => tf.add(a!, tf.sub(a!, b!)),
    ops: null,
  },
  {
    pass: 'factors',
    name: 'multiplies the smaller factors first',
    inputs: { a: [3, 4], b: [3, 1], c: [] },
    run: ({ a, b, c }) => tf.mul(tf.mul(c!, tf.mul(a!, b!)), 2),
    ops: ['Mul', 'Mul', 'Mul', 'Identity'],
  },
  {
    pass: 'factors',
    name: 'changes the sign of the smaller factor',
    inputs: { a: [3, 4], b: [3, 1] },
    run: ({ a, b }) => tf.neg(tf.mul(a!, b!)),
    ops: ['Neg', 'Mul', 'Identity'],
  },
  {
    pass: 'factors',
    name: 'leaves a product alone that something else reads',
    inputs: { a: [3, 4], b: [3, 1] },
    run: ({ a, b }) => {
      const product = tf.mul(a!, b!);
      return tf.sub(tf.exp(product), tf.mul(product, 2));
    },
    ops: null,
  },
  {
    pass: 'factors',
    name: 'leaves factors alone whose product is as large as the result',
    inputs: { a: [3, 4], b: [3, 1], c: [1, 4] },
    run: ({ a, b, c }) => tf.mul(tf.mul(a!, b!), c!),
    ops: null,
  },
  {
    pass: 'reshapes',
    name: 'makes one of two',
    inputs: { a: [2, 6] },
    run: ({ a }) => tf.neg(tf.reshape(tf.reshape(a!, [3, 4]), [12])),
    ops: ['Reshape', 'Neg', 'Identity'],
  },
  {
    pass: 'reshapes',
    name: 'leaves out a way there and back',
    inputs: { a: [2, 6] },
    run: ({ a }) => tf.neg(tf.reshape(tf.reshape(a!, [3, 4]), [2, 6])),
    ops: ['Neg', 'Identity'],
  },
  {
    pass: 'reshapes',
    name: 'adds before it reshapes',
    inputs: { a: [2, 6], b: [2, 6] },
    run: ({ a, b }) => tf.add(tf.reshape(a!, [3, 4]), tf.reshape(b!, [3, 4])),
    ops: ['Add', 'Reshape', 'Identity'],
  },
  {
    pass: 'reshapes',
    name: 'leaves a sum of values alone that had different shapes',
    inputs: { a: [2, 6], b: [4, 3] },
    run: ({ a, b }) => tf.add(tf.reshape(a!, [3, 4]), tf.reshape(b!, [3, 4])),
    ops: null,
  },
  {
    pass: 'reshapes',
    name: 'leaves a sum alone that broadcasts',
    inputs: { a: [2, 2], b: [2, 2] },
    run: ({ a, b }) => tf.add(tf.reshape(a!, [4, 1]), tf.reshape(b!, [1, 4])),
    ops: null,
  },
  {
    pass: 'broadcasts',
    name: 'drops ones and an expansion in front of a product',
    inputs: { a: [3, 1], b: [3, 4] },
    run: ({ a, b }) => tf.mul(tf.mul(a!, tf.ones([3, 4])), b!),
    ops: ['Mul', 'Identity'],
  },
  {
    pass: 'broadcasts',
    name: 'keeps an expansion that gives the product its shape',
    inputs: { a: [3, 1], b: [3, 1] },
    run: ({ a, b }) => tf.mul(tf.mul(a!, tf.ones([3, 4])), b!),
    ops: ['Expand', 'Mul', 'Identity'],
  },
  {
    pass: 'broadcasts',
    name: 'keeps an expansion that another operation needs',
    inputs: { a: [3, 1], b: [4, 2] },
    run: ({ a, b }) => tf.matMul(tf.mul(a!, tf.ones([3, 4])), b!),
    ops: ['Expand', 'Gemm', 'Identity'],
  },
  {
    pass: 'broadcasts',
    name: 'drops an expansion where both operands give the shape together',
    inputs: { a: [3, 1], b: [1, 4] },
    run: ({ a, b }) => tf.mul(tf.mul(a!, tf.ones([3, 4])), b!),
    ops: ['Mul', 'Identity'],
  },
  {
    pass: 'log_softmax',
    name: 'makes one operation of six',
    inputs: { a: [3, 4] },
    run: ({ a }) => tf.logSoftmax(tf.mul(a!, 100)),
    ops: ['Mul', 'LogSoftmax', 'Identity'],
  },
  {
    pass: 'log_softmax',
    name: 'leaves what was shifted by something else alone',
    inputs: { a: [3, 4], b: [3, 4] },
    run: ({ a, b }) => {
      const shifted = tf.sub(a!, tf.max(b!, 1, true));
      return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 1, true)));
    },
    ops: null,
  },
  {
    pass: 'log_softmax',
    name: 'leaves sums over another axis alone',
    inputs: { a: [4, 4] },
    run: ({ a }) => {
      const shifted = tf.sub(a!, tf.max(a!, 0, true));
      return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 0, true)));
    },
    ops: null,
  },
  {
    pass: 'squares',
    name: 'sums squares in one operation',
    inputs: { a: [3, 4] },
    run: ({ a }) => tf.sum(tf.square(a!)),
    ops: ['ReduceSumSquare', 'Identity'],
  },
  {
    pass: 'squares',
    name: 'leaves squares alone that something else reads, and products of two',
    inputs: { a: [3, 4], b: [3, 4] },
    run: ({ a, b }) => tf.add(tf.add(tf.sum(tf.square(a!)), tf.square(a!)), tf.sum(tf.mul(a!, b!))),
    ops: null,
  },
  {
    pass: 'leading_sums',
    name: 'multiplies by a row of ones',
    inputs: { a: [3, 4] },
    run: ({ a }) => tf.neg(tf.sum(a!, 0)),
    ops: ['Expand', 'Gemm', 'Reshape', 'Neg', 'Identity'],
  },
  {
    pass: 'leading_sums',
    name: 'takes several axes for rows, and keeps them where it is told to',
    inputs: { a: [2, 3, 4, 2] },
    run: ({ a }) => tf.neg(tf.sum(a!, [1, 0], true)),
    ops: ['Expand', 'Reshape', 'Gemm', 'Reshape', 'Neg', 'Identity'],
  },
  {
    pass: 'leading_sums',
    name: 'leaves sums over other axes alone, and over all',
    inputs: { a: [2, 3, 2] },
    run: ({ a }) => tf.add(tf.add(tf.sum(a!, [0, 2], true), tf.sum(a!, 1, true)), tf.sum(a!)),
    ops: null,
  },
  {
    pass: 'scatters',
    name: 'scatters into the other term',
    inputs: { a: [3, 2], b: [2, 2] },
    run: ({ a, b }) => tf.add(scattered(a!, [1, 3, 1]), scattered(b!, [3, 0])),
    ops: ['Expand', 'Cast', 'Reshape', 'ScatterND', 'Cast', 'Reshape', 'ScatterND', 'Identity'],
  },
  {
    pass: 'scatters',
    name: 'leaves a sum alone that broadcasts',
    inputs: { a: [3, 2], b: [3, 4, 2] },
    run: ({ a, b }) => tf.add(scattered(a!, [1, 3, 1]), b!),
    ops: null,
  },
  {
    pass: 'outputs',
    name: 'names the value as the output',
    inputs: { a: [3] },
    run: ({ a }) => tf.neg(a!),
    ops: ['Neg'],
  },
  {
    pass: 'outputs',
    name: 'copies an input',
    inputs: { a: [3] },
    run: ({ a }) => a!,
    ops: null,
  },
];

const cpu = { provider: 'cpu', threads: 1 } as const;
const opsOf = ({ graph }: CompiledGraph) => graph.nodes.map((node) => node.op);
/** Operations with what they read. */
const wiring = ({ graph }: CompiledGraph) => graph.nodes.map((node) => `${node.op} ${node.inputs.join()}`);

/** The function's graph with this pass alone, and without any. */
async function withAndWithout({ pass, inputs, run }: Case) {
  const specs: Specs = Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [name, { shape, dtype: 'float32' }]),
  );
  const stream = RandomStream.of(1, pass);
  const feeds: Feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [name, stream.normals(shape.reduce((a, b) => a * b, 1))]),
  );
  const all = passes.map(({ name }) => name);
  const record = (tensors: Readonly<Record<string, tf.Tensor>>) => ({ value: run(tensors) });
  const others = all.filter((name) => name !== pass);
  const on = await compile('with', specs, record, cpu, { withoutPasses: others });
  const off = await compile('without', specs, record, cpu, { withoutPasses: all });
  return { on, off, feeds };
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(passes.map(({ name }) => name))('pass %s', (pass) => {
  it.each(cases.filter((test) => test.pass === pass).map((test) => [test.name, test] as const))(
    '%s',
    async (_, test) => {
      const { on, off, feeds } = await withAndWithout(test);
      if (test.ops) {
        expect(opsOf(on)).toEqual(test.ops);
        expect(wiring(on)).not.toEqual(wiring(off));
      } else {
        expect(wiring(on)).toEqual(wiring(off));
      }
      const [{ value: expected }, { value: actual }] = [await off.run(feeds), await on.run(feeds)];
      const scale = Math.max(...Array.from(expected!, Math.abs));
      actual!.forEach((number, i) => {
        expect(Math.abs(number - expected![i]!) / scale).toBeLessThan(1e-6);
      });
      await on.release();
      await off.release();
    },
  );

  it('has a case in which it acts', () => {
    expect(cases.some((test) => test.pass === pass && test.ops !== null)).toBe(true);
  });
});

/** Value and gradients of a small network with what models are made of: maps, unit vectors, a masked softmax, means of squares. */
function network({ x, w, b, mask }: Record<string, tf.Tensor>): Record<string, tf.Tensor> {
  const loss = () => {
    const mapped = tf.add(tf.matMul(tf.reshape(x!, [6, 4]), w!), b!);
    const y = tf.reshape(tf.div(mapped, tf.sqrt(tf.add(tf.sum(tf.square(mapped), 1, true), 1))), [2, 3, 4]);
    const logits = tf.add(tf.matMul(y, y, false, true), tf.mul(tf.sub(1, mask!), -1e9));
    const attended = tf.matMul(tf.softmax(tf.mul(logits, 0.5)), y);
    const decayed = tf.exp(tf.neg(tf.mul(tf.square(tf.sub(attended, y)), 2)));
    return tf.add<tf.Scalar>(tf.mean(decayed), tf.mean(tf.logSoftmax(tf.neg(attended))));
  };
  const { value, gradients } = valueAndGradients(loss, [x!, w!, b!]);
  return { value, dx: gradients[0]!, dw: gradients[1]!, db: gradients[2]! };
}

describe('value and gradients of a network', () => {
  it.each([...passes.map(({ name }) => [name]), passes.map(({ name }) => name)])(
    'are the same without %s',
    async (...without) => {
      const shapes = { x: [2, 3, 4], w: [4, 4], b: [4], mask: [2, 1, 3] };
      const specs: Specs = Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]),
      );
      const stream = RandomStream.of(3, 'network');
      const feeds: Feeds = {
        x: stream.normals(24),
        w: stream.normals(16),
        b: stream.normals(4),
        mask: Float32Array.of(1, 1, 0, 1, 1, 1),
      };
      const on = await compile('with', specs, network, cpu);
      const off = await compile('without', specs, network, cpu, { withoutPasses: without });
      const [expected, actual] = [await off.run(feeds), await on.run(feeds)];
      for (const [name, numbers] of Object.entries(expected)) {
        const scale = Math.max(...Array.from(numbers, Math.abs));
        actual[name]!.forEach((number, i) => {
          expect(Math.abs(number - numbers[i]!) / scale, name).toBeLessThan(1e-6);
        });
      }
      await on.release();
      await off.release();
    },
  );
});
