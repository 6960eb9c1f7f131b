import { tf } from '../engine/tf.js';
import { stopGradient } from '../engine/autodiff.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';

/**
 * Reconstruction of the teacher's interaction vector.
 *   L = 1/2 mean over candidates of |h_student - sg(h_teacher)|^2
 * student, teacher: [request, candidate, width]; mask: [request, candidate].
 * Source: the authors' code, tarq.md 1.7 (TensorFlow's l2_loss is half the squared sum).
 */
export function reconstructionLoss(student: tf.Tensor3D, teacher: tf.Tensor3D, mask: tf.Tensor2D): tf.Scalar {
  const distances = tf.sum(tf.square(tf.sub(student, stopGradient(teacher))), 2);
  const counted = tf.maximum(overWorkers(tf.sum(mask)), tf.scalar(1));
  return tf.mul(tf.div(tf.sum(tf.mul(distances, mask)), counted), 0.5);
}
