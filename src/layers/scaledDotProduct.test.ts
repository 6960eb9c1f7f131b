import { tf } from '../engine/tf.js';
import { beforeAll, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { scaledDotProduct } from './scaledDotProduct.js';

type Attention = [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, number];

/** The formula with tfjs's own gradients: heads as a fourth axis. */
function plain(...[q, k, v, bias, factor, heads]: Attention): tf.Tensor {
  const requests = k.shape[0];
  const width = q.shape[2]!;
  const apart = (x: tf.Tensor) =>
    tf.transpose(tf.reshape(x, [x.shape[0], x.shape[1]!, heads, width / heads]), [0, 2, 1, 3]);
  const spread = q.shape[0] === requests ? q : tf.add(q, tf.zeros([requests, 1, 1]));
  const logits = tf.matMul(apart(spread), apart(k), false, true);
  const weights = tf.softmax(tf.add(tf.mul(logits, Math.sqrt(heads / width)), tf.expandDims(bias, 1)));
  return tf.mul(factor, tf.reshape(tf.transpose(tf.matMul(weights, apart(v)), [0, 2, 1, 3]), spread.shape));
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

it.each([
  ['one head', 1, [2, 3, 4], [2, 3, 5]],
  ['heads', 2, [2, 3, 4], [2, 3, 5]],
  ['queries that all requests share', 2, [1, 3, 4], [2, 3, 5]],
  ['a bias for every query alike', 2, [2, 3, 4], [2, 1, 5]],
] as const)('has the value and the gradients of the formula: %s', (_, heads, query, bias) => {
  const stream = RandomStream.of(1, 'attention');
  const random = (shape: readonly number[]) =>
    tf.tensor(stream.normals(shape.reduce((a, b) => a * b, 1)), [...shape]);
  const inputs = [random(query), random([2, 5, 4]), random([2, 5, 4]), random(bias), random([2, 1, 1])];
  const weights = random([2, 3, 4]);
  const run = (attention: typeof plain) =>
    tf.valueAndGrads((q, k, v, b, f) => tf.sum<tf.Scalar>(tf.mul(attention(q, k, v, b, f, heads), weights)))(
      inputs,
    );
  const ours = run(scaledDotProduct as typeof plain);
  const expected = run(plain);
  [ours.value, ...ours.grads].forEach((tensor, i) => {
    const other = [expected.value, ...expected.grads][i]!;
    expect(tensor.shape).toEqual(other.shape);
    expect(tf.max(tf.abs(tf.sub(tensor, other))).dataSync()[0]).toBeLessThan(2e-6);
  });
});
