import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { unit } from './normalize.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

it('has the value and the gradient of its formula', () => {
  const stream = RandomStream.of(1, 'unit');
  const x = tf.tensor(stream.normals(24), [2, 3, 4]);
  const weights = tf.tensor(stream.normals(24), [2, 3, 4]);
  const plain = (v: tf.Tensor) => tf.div(v, tf.sqrt(tf.add(tf.sum(tf.square(v), -1, true), 1e-12)));
  const run = (f: typeof plain) => tf.valueAndGrad((v) => tf.sum<tf.Scalar>(tf.mul(f(v), weights)))(x);
  const [ours, expected] = [run(unit), run(plain)];
  expect(tf.abs(tf.sub(ours.value, expected.value)).dataSync()[0]).toBeLessThan(1e-6);
  expect(tf.max(tf.abs(tf.sub(ours.grad, expected.grad))).dataSync()[0]).toBeLessThan(1e-6);
});

it('leaves a zero vector where it is, with a gradient that is finite', () => {
  const { value, grad } = tf.valueAndGrad((v) => tf.sum<tf.Scalar>(unit(v)))(tf.zeros([1, 4]));
  expect(value.dataSync()[0]).toBe(0);
  expect(Array.from(grad.dataSync()).every(Number.isFinite)).toBe(true);
});
