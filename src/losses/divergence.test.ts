import { tf } from '../engine/tf.js';
import { beforeAll, expect, it } from 'vitest';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import { symmetricDivergence } from './divergence.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** The formula, with gradients as tfjs derives them. */
function derived(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const ratio = tf.clipByValue(tf.sub(tf.logSoftmax(a), tf.logSoftmax(b)), -18, 18);
  return tf.sum(tf.mul(tf.sub(tf.softmax(a), tf.softmax(b)), ratio), -1);
}

// Of logits that lie apart by a few, and so far that some log-ratios are clipped.
it.each([1, 30])('has the value and the gradients of its formula: logits of size %i', (size) => {
  const stream = RandomStream.of(2, 'divergence');
  const logits = () => tf.mul(tf.tensor3d(stream.normals(2 * 3 * 5), [2, 3, 5]), size);
  const [a, b] = [logits(), logits()];
  const weights = tf.tensor2d(stream.normals(6), [2, 3]);
  const run = (f: typeof derived) =>
    valueAndGradients(() => tf.sum<tf.Scalar>(tf.mul(f(a, b), weights)), [a, b]);
  const [ours, expected] = [run(symmetricDivergence), run(derived)];
  [ours.value, ...ours.gradients].forEach((x, i) => {
    const difference = tf.abs(tf.sub(x, [expected.value, ...expected.gradients][i]!));
    expect(tf.max(difference).dataSync()[0]).toBeLessThan(1e-5 * size);
  });
  const clipped = tf.any(tf.greater(tf.abs(tf.sub(tf.logSoftmax(a), tf.logSoftmax(b))), 18)).dataSync()[0];
  expect(clipped).toBe(size === 30 ? 1 : 0);
});

it('is zero for equal softmaxes, whatever is added to the logits', () => {
  const a = tf.tensor2d([[1, 2, 3]]);
  expect(Math.abs(symmetricDivergence(a, tf.add(a, 7)).dataSync()[0]!)).toBeLessThan(1e-6);
});
