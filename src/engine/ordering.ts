/** When something is computed, where that decides how much memory a step needs. */
import { tf } from './tf.js';

/**
 * The same values, which cannot be had before all of `done` are. A graph's runtime is free in the order of what does not depend on
 * each other: ONNX Runtime walks back from the outputs, so that a loop over chunks has the arrays of every chunk side by side before
 * the first is reduced. Here a value is made to depend on others by carrying one number of each along and cutting it off again.
 * It also gives the values a new name: what is made of them anew is not merged with what was made of them before.
 */
export function after<T extends tf.Tensor>(x: T, done: readonly tf.Tensor[]): T {
  if (done.length === 0) return x;
  const flat = (tensor: tf.Tensor) => tf.reshape(tensor, [-1]);
  const carried = tf.concat([flat(x), ...done.map((tensor) => tf.slice(flat(tensor), [0], [1]))]);
  return tf.reshape(tf.slice(carried, [0], [x.size]), x.shape) as T; // the shape is x's
}
