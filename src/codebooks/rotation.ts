import { tf } from '../engine/tf.js';
import { stopGradient, straightThrough } from '../engine/autodiff.js';

/**
 * The rotation trick: the value of the code q, with the gradient of the vector e turned and scaled as e was to become q.
 *   value  λ R e = q      R = I - 2 r r^T + 2 q̂ ê^T      r = (ê + q̂)/|ê + q̂|      λ = |q|/|e|      λ and R constants
 * so that a gradient g at q arrives at e as λ R^T g: with the angle to e that g has to q, where straight-through would move all vectors
 * of a code alike. q, e: [vector, width]. A vector or code of length 0 has no direction and is passed straight through.
 * Source: Fifty et al. 2024, "Restructuring vector quantization with the rotation trick"; tarq.md 2.6.
 */
export function rotated(code: tf.Tensor2D, vector: tf.Tensor2D): tf.Tensor2D {
  const e = stopGradient(vector);
  const q = stopGradient(code);
  const length = (x: tf.Tensor) => tf.sqrt(tf.sum(tf.square(x), 1, true));
  const unit = (x: tf.Tensor) => tf.div(x, tf.maximum(length(x), smallest));
  const [eUnit, qUnit] = [unit(e), unit(q)];
  const between = unit(tf.add(eUnit, qUnit));
  const along = (direction: tf.Tensor) => tf.sum(tf.mul(vector, direction), 1, true);
  const turned = tf.add(
    tf.sub(vector, tf.mul(tf.mul(between, along(between)), 2)),
    tf.mul(tf.mul(qUnit, along(eUnit)), 2),
  );
  const scale = tf.div(length(q), tf.maximum(length(e), smallest));
  const directed = tf.greater(tf.minimum(length(e), length(q)), smallest);
  const share = tf.cast(directed, 'float32');
  return tf.add(
    tf.mul(tf.mul(turned, scale), share),
    tf.mul(straightThrough(code, vector), tf.sub(1, share)),
  );
}

/** Shorter vectors have no direction. */
const smallest = 1e-6;
