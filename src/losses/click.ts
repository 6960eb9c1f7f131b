import { tf } from '../engine/tf.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';

/**
 * Binary cross-entropy on logits, weighted.
 *   l = softplus(s) - y s       (= y sp(-s) + (1 - y) sp(s), and finite for any finite s)
 *   L = Σ w l / Σ w over real candidates
 * logits, labels, weights, mask: [request, candidate].
 * Source: cascade-losses-and-metrics.md 2.1; the masked mean, not the mean over padding too.
 */
export function clickLoss(
  logits: tf.Tensor2D,
  labels: tf.Tensor2D,
  weights: tf.Tensor2D,
  mask: tf.Tensor2D,
): tf.Scalar {
  const masked = tf.mul(weights, mask);
  const losses = tf.sub(tf.softplus(logits), tf.mul(labels, logits));
  return tf.div(tf.sum(tf.mul(losses, masked)), tf.maximum(overWorkers(tf.sum(masked)), tf.scalar(1e-12)));
}
