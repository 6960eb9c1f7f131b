import { tf } from '../engine/tf.js';

/**
 * Mean of the real positions of a sequence; zero for an empty one.
 * x: [request, behaviour, width], mask: [request, behaviour] with 1 = real -> [request, width].
 */
export function meanPool(x: tf.Tensor3D, mask: tf.Tensor2D): tf.Tensor2D {
  const weights = tf.div(mask, tf.maximum(tf.sum(mask, 1, true), tf.ones([mask.shape[0], 1])));
  return weightedSum(x, weights as tf.Tensor2D);
}

/** Σ_j w_j x_j. x: [request, behaviour, width], weights: [request, behaviour] -> [request, width]. */
export function weightedSum(x: tf.Tensor3D, weights: tf.Tensor2D): tf.Tensor2D {
  const [requests, behaviours, width] = x.shape;
  const product = tf.matMul(tf.reshape(weights, [requests, 1, behaviours]), x);
  return tf.reshape(product, [requests, width]);
}
