import { tf } from '../engine/tf.js';

/** The log-ratio of two softmaxes is clipped here, as the guards of 1e-8 in TARQ's code do. */
const largestLogRatio = 18;

/**
 * KL(P|Q) + KL(Q|P) = Σ_k (P_k - Q_k) r_k over the last axis, with P and Q the softmaxes of a and b and r = log P - log Q, clipped.
 * a, b: [..., code] -> [...].
 *
 * With U = P - Q where r is not clipped, else 0, the gradients are
 *   da = P r + U - P Σ (P r + U)        db = -(Q r + U) + Q Σ (Q r + U)
 * written out because what tfjs derives goes over the tensors three times as often.
 */
export function symmetricDivergence(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const withGradient = tf.customGrad((...args) => {
    const [x, y, save] = args as unknown as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const [logP, logQ] = [tf.logSoftmax(x), tf.logSoftmax(y)];
    const [p, q] = [tf.exp(logP), tf.exp(logQ)];
    const ratio = tf.sub(logP, logQ);
    const clipped = tf.clipByValue(ratio, -largestLogRatio, largestLogRatio);
    const difference = tf.sub(p, q);
    save([p, q, ratio, clipped, difference]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [p, q, whole, r, apart] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const u = tf.mul(apart, tf.cast(tf.equal(whole, r), 'float32'));
      const weight = tf.expandDims(dy, -1);
      const towards = (softmax: tf.Tensor) => {
        const logGradient = tf.add(tf.mul(softmax, r), u);
        return tf.sub(logGradient, tf.mul(softmax, tf.sum(logGradient, -1, true)));
      };
      return [tf.mul(towards(p), weight), tf.mul(towards(q), tf.neg(weight))];
    };
    return { value: tf.sum(tf.mul(difference, clipped), -1), gradFunc };
  });
  return withGradient(a, b);
}
