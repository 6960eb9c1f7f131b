import { tf } from '../engine/tf.js';

/**
 * log Σ exp x over the last axis: [..., behaviour] -> [...]. The gradient is dy times the softmax, written out because what tfjs derives
 * also follows the largest number, which it takes off before and puts back after, and along which the gradients cancel.
 */
export function logSumExp(x: tf.Tensor): tf.Tensor {
  const withGradient = tf.customGrad((...args) => {
    const [input, save] = args as unknown as [tf.Tensor, tf.GradSaveFunc];
    const largest = tf.max(input, -1, true);
    const shares = tf.exp(tf.sub(input, largest));
    const sum = tf.sum(shares, -1, true);
    save([shares, sum]);
    const gradFunc = (dy: tf.Tensor, [parts, whole]: tf.Tensor[]) =>
      tf.mul(parts!, tf.div(tf.reshape(dy, whole!.shape), whole!));
    return { value: tf.squeeze(tf.add(tf.log(sum), largest), [-1]), gradFunc };
  });
  return withGradient(x);
}
