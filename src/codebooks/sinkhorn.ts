import { tf } from '../engine/tf.js';
import type { ChooseCodes } from './residual.js';

/**
 * Balanced assignment: every code is given about the same number of the vectors of a step.
 *   d~ = (d - middle) / (largest - middle)    middle = (largest + smallest) / 2, so that d~ is in [-1, 1]
 *   Q_ik = exp(f_i + g_k - d~_ik / eps)       f, g such that the rows have one sum and the columns have one sum
 *   k_i = argmax_k Q_ik
 * by alternating, in logarithms, since exp(1/eps) overflows: f_i = -log Σ_k exp(g_k - d~_ik/eps), g_k = -log Σ_i exp(f_i - d~_ik/eps).
 * d: [vector, code], distances of any kind. All vectors must be real ones: padding would be balanced too. For training only: alone, an
 * item chooses its nearest code.
 * Source: Cuturi 2013; for item codes Zheng et al. 2024 (LC-Rec), tarq.md 2.6. There eps is .003, with which 50 iterations are far
 * from balance: g must travel up to 2/eps, and moves by about the logarithm of the imbalance in an iteration.
 */
export function balanced(
  distances: (vectors: tf.Tensor2D, codebook: tf.Tensor2D) => tf.Tensor2D,
  { epsilon, iterations }: { readonly epsilon: number; readonly iterations: number },
): ChooseCodes {
  return (vectors, codebook) => {
    const d = distances(vectors, codebook);
    const [largest, smallest] = [tf.max(d), tf.min(d)];
    const middle = tf.div(tf.add(largest, smallest), 2);
    const half = tf.add(tf.sub(largest, middle), 1e-12); // all alike: every choice is as good
    const logits = tf.div(tf.sub(middle, d), tf.mul(half, epsilon));
    let codePotential: tf.Tensor = tf.zeros([1, codebook.shape[0]]);
    for (let i = 0; i < iterations; i++) {
      const vectorPotential = tf.neg(tf.logSumExp(tf.add(logits, codePotential), 1, true));
      codePotential = tf.neg(tf.logSumExp(tf.add(logits, vectorPotential), 0, true));
    }
    return tf.argMax(tf.add(logits, codePotential), 1);
  };
}
