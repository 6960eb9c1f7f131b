import * as tf from '@tensorflow/tfjs';

/** Added under the root, so that the gradient of a zero vector is zero and not undefined. */
const epsilon = 1e-12;

/**
 * x / sqrt(|x|^2 + eps) over the last axis: unit length; a zero vector stays zero.
 * x: [..., width].
 */
export function unit<T extends tf.Tensor>(x: T): T {
  return tf.mul(x, tf.rsqrt(tf.add(tf.sum(tf.square(x), -1, true), epsilon)));
}

/** Inner product over the last axis: [..., width] x [..., width] -> [...], broadcasting. */
export const dot = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(tf.mul(a, b), -1);
