import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { chunkedAttention } from './chunkedAttention.js';

interface Case {
  readonly queries: number;
  readonly behaviours: number;
  readonly heads: number;
  /** Width of the heads' own products together; 0 = only shared ones. */
  readonly own: number;
  readonly shared: number;
  readonly value: number;
}

/** [own queries, own keys], shared queries, shared keys, values. */
function inputsOf({ queries, behaviours, own, shared, value }: Case): tf.Tensor3D[] {
  const stream = RandomStream.of(1, 'attention');
  const random = (...shape: [number, number, number]) =>
    tf.tensor3d(stream.normals(shape[0] * shape[1] * shape[2]), shape);
  return [
    ...(own > 0 ? [random(2, queries, own), random(2, behaviours, own)] : []),
    random(2, queries, shared),
    random(2, behaviours, shared),
    random(2, behaviours, value),
  ];
}

/** The formula at once, with tfjs's own gradients: O and Z side by side. */
function plain(heads: number, inputs: readonly tf.Tensor[]): tf.Tensor {
  const [values, keys, queries, ownKeys, ownQueries] = inputs.toReversed();
  const split = (x: tf.Tensor) => (heads === 1 ? [x] : tf.split(x, heads, 2));
  const shared = tf.matMul(queries!, keys!, false, true);
  const logits = split(values!).map((_, h) =>
    ownQueries ? tf.add(tf.matMul(split(ownQueries)[h]!, split(ownKeys!)[h]!, false, true), shared) : shared,
  );
  const vectors = logits.map((l, h) => tf.matMul(tf.softmax(l), split(values!)[h]!));
  return tf.concat([...vectors, ...logits.map((l) => tf.logSumExp(l, 2, true))], 2);
}

function chunked(heads: number, inputs: readonly tf.Tensor[], size: number): tf.Tensor {
  const [values, keys, queries, ownKeys, ownQueries] = (inputs as tf.Tensor3D[]).toReversed();
  const { vector, logSums } = chunkedAttention(
    {
      ...(ownQueries && { own: { queries: ownQueries, keys: ownKeys!, heads } }),
      shared: { queries: queries!, keys: keys! },
      values: values!,
    },
    size,
  );
  return tf.concat([vector, logSums], 2);
}

/** A weighted sum of all outputs, and its gradients. */
function gradientsOf(attention: (inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[]) {
  const width = attention(inputs).shape[2]!;
  const weights = tf.tensor3d(RandomStream.of(2, 'weights').normals(2 * inputs.at(-3)!.shape[1]! * width), [
    2,
    inputs.at(-3)!.shape[1]!,
    width,
  ]);
  const f = (...xs: tf.Tensor[]) => tf.sum<tf.Scalar>(tf.mul(attention(xs), weights));
  const { value, grads } = tf.valueAndGrads(f)(inputs);
  return [value, ...grads];
}

const largestDifference = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const usual: Case = { queries: 3, behaviours: 10, heads: 2, own: 4, shared: 3, value: 6 };

describe.each([
  ['heads with products of their own', usual],
  ['one head of shared products', { ...usual, heads: 1, own: 0 }],
  ['more queries than a chunk holds', { ...usual, queries: 11 }],
])('%s', (_, shape) => {
  it.each([
    ['that divide the sequence', 5],
    ['that do not', 4],
    ['of one behaviour', 1],
    ['longer than it', 64],
  ])('attends in chunks %s as at once, in value and every gradient', (_, size) => {
    const inputs = inputsOf(shape);
    const ours = gradientsOf((xs) => chunked(shape.heads, xs, size), inputs);
    const expected = gradientsOf((xs) => plain(shape.heads, xs), inputs);
    expect(ours).toHaveLength(expected.length);
    ours.forEach((tensor, i) => {
      expect(tensor.shape).toEqual(expected[i]!.shape);
      expect(largestDifference(tensor, expected[i]!)).toBeLessThan(1e-5);
    });
  });

  it('agrees with finite differences', () => {
    const inputs = inputsOf(shape);
    const stream = RandomStream.of(3, 'directions');
    const weighted = (xs: tf.Tensor[]) => gradientsOf((ys) => chunked(shape.heads, ys, 4), xs);
    const [, ...gradients] = weighted(inputs);
    inputs.forEach((x, i) => {
      const along = tf.tensor(stream.normals(x.size), x.shape);
      const h = 0.02 / Math.sqrt(x.size);
      const at = (step: number) => {
        const moved = inputs.with(i, tf.add<tf.Tensor3D>(x, tf.mul(along, step)));
        return weighted(moved)[0]!.dataSync()[0]!;
      };
      const slope = (at(h) - at(-h)) / (2 * h);
      const expected = tf.sum(tf.mul(gradients[i]!, along)).dataSync()[0]!;
      expect(Math.abs(slope - expected)).toBeLessThan(0.01 + 0.01 * Math.abs(expected));
    });
  });
});

it('does not lose weights to logits of another size in another chunk', () => {
  const ones = tf.ones<tf.Rank.R3>([1, 1, 1]);
  const logits = [-1e9, -1e9, 100, 99, -1e9, -200, 101];
  const { vector, logSums } = chunkedAttention(
    {
      shared: { queries: ones, keys: tf.tensor3d(logits, [1, 7, 1]) },
      values: tf.tensor3d([9, 9, 1, 2, 9, 9, 3], [1, 7, 1]),
    },
    2,
  );
  const weights = [100, 99, 101].map((logit) => Math.exp(logit - 101));
  const total = weights.reduce((sum, weight) => sum + weight);
  expect(vector.dataSync()[0]).toBeCloseTo((weights[0]! + 2 * weights[1]! + 3 * weights[2]!) / total, 5);
  expect(logSums.dataSync()[0]).toBeCloseTo(101 + Math.log(total), 4);
});
