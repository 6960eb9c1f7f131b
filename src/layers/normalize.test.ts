/** Values and gradients against those that tfjs derives from the formulas. */
import { tf } from '../engine/tf.js';
import { beforeAll, expect, it } from 'vitest';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import { logSumExp } from './logSumExp.js';
import { cosine, dotWithEach, unit } from './normalize.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const stream = RandomStream.of(1, 'normalize');
const normals = (...shape: number[]) => tf.tensor(stream.normals(shape.reduce((a, b) => a * b, 1)), shape);

type Function = (...xs: tf.Tensor[]) => tf.Tensor;

/** Of a sum of the outputs in which each counts differently. */
function expectSame(ours: Function, formula: Function, ...xs: tf.Tensor[]): void {
  const weights = normals(...formula(...xs).shape);
  const [actual, expected] = [ours, formula].map((f) =>
    valueAndGradients(() => tf.sum<tf.Scalar>(tf.mul(f(...xs), weights)), xs),
  );
  const pairs = [actual!, expected!].map(({ value, gradients }) => [value, ...gradients]);
  pairs[0]!.forEach((x, i) => {
    expect(x.shape).toEqual(pairs[1]![i]!.shape);
    expect(tf.max(tf.abs(tf.sub(x, pairs[1]![i]!))).dataSync()[0]).toBeLessThan(2e-6);
  });
}

const length = (x: tf.Tensor, keep = true) => tf.sqrt(tf.add(tf.sum(tf.square(x), -1, keep), 1e-12));

it('unit', () => {
  expectSame(
    (x) => unit(x),
    (x) => tf.div(x, length(x)),
    normals(2, 3, 4),
  );
});

it('unit of a given length', () => {
  const scaled: Function = (x, to) => tf.mul(to, tf.div(x, length(x)));
  expectSame((x, to) => unit(x, to as tf.Scalar), scaled, normals(2, 3, 4), tf.scalar(1.7));
});

it('cosine', () => {
  const formula: Function = (a, b) =>
    tf.div(tf.sum(tf.mul(a, b), -1), tf.mul(length(a, false), length(b, false)));
  expectSame((a, b) => cosine(a, b), formula, normals(2, 3, 4), normals(2, 3, 4));
});

it('dotWithEach', () => {
  const formula: Function = (one, each) => tf.sum(tf.mul(tf.expandDims(one, 1), each), -1);
  expectSame((one, each) => dotWithEach(one, each), formula, normals(2, 4), normals(2, 3, 4));
});

it('logSumExp, of numbers so large that their exponentials are not finite, too', () => {
  const x = normals(2, 3, 4);
  expectSame(
    (x) => logSumExp(x),
    (x) => tf.logSumExp(x, -1),
    x,
  );
  const shifted = logSumExp(tf.add(x, 1000));
  const expected = tf.add(logSumExp(x), 1000);
  expect(tf.max(tf.abs(tf.sub(shifted, expected))).dataSync()[0]).toBeLessThan(1e-3);
});

it('a zero vector stays where it is, has cosine 0, and its gradients are finite', () => {
  const zero = tf.zeros([1, 4]);
  const both = valueAndGradients(
    () => tf.sum<tf.Scalar>(tf.concat([unit(zero), tf.expandDims(cosine(zero, tf.ones([1, 4])), 1)], 1)),
    [zero],
  );
  expect(both.value.dataSync()[0]).toBe(0);
  expect(Array.from(both.gradients[0]!.dataSync()).every(Number.isFinite)).toBe(true);
});
