import * as tf from '@tensorflow/tfjs';

/** Added under the root, so that the gradient of a zero vector is zero and not undefined. */
const epsilon = 1e-12;

/**
 * x / sqrt(|x|^2 + eps) over the last axis: unit length; a zero vector stays zero.
 * x: [..., width].
 *
 * With r = 1 / sqrt(|x|^2 + eps) and y = r x the gradient is dx = r (dy - y <y, dy>), written out because what tfjs derives goes over
 * the tensor ten times instead of four.
 */
export function unit<T extends tf.Tensor>(x: T): T {
  const withGradient = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [tf.Tensor, tf.GradSaveFunc];
    const r = tf.rsqrt(tf.add(tf.sum(tf.square(input), -1, true), epsilon));
    const value = tf.mul(input, r);
    save([value, r]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [y, scale] = saved as [tf.Tensor, tf.Tensor];
      return tf.mul(tf.sub(dy, tf.mul(y, tf.sum(tf.mul(y, dy), -1, true))), scale);
    };
    return { value, gradFunc };
  });
  return withGradient(x) as T;
}

/** Inner product over the last axis: [..., width] x [..., width] -> [...], broadcasting. */
export const dot = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(tf.mul(a, b), -1);
