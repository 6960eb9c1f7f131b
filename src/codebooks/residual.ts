import { tf } from '../engine/tf.js';
import { stopGradient } from '../engine/autodiff.js';

/**
 * Greedy residual quantisation.
 *   r^0 = z;   k_l = argmin_k |r^(l-1) - X^l_k|^2 (ties to the lowest index);   r^l = z - (sum of the first l codes)
 * or with codes chosen in another way (`choose`): by direction, or balanced over the vectors.
 * z: [vector, width]; each codebook: [code, width] -> codes: one [vector] int32 per level; partial sums: one [vector, width] per
 * level. Residuals are built from the sum of codes and not from straight-through values, so that a loss on the residual of any
 * level reaches the encoder (tarq.md 2.2, the trap).
 * Source: Lee et al. 2022 (RQ-VAE), section 3; tarq.md 2.1.
 */
export interface Quantised {
  readonly codes: readonly tf.Tensor1D[];
  /** Chosen code vectors per level, differentiable with respect to the codebooks. */
  readonly chosen: readonly tf.Tensor2D[];
  /** Sum of the first l chosen codes. */
  readonly partialSums: readonly tf.Tensor2D[];
  /** What is left after level l; entry 0 is z. */
  readonly residuals: readonly tf.Tensor2D[];
  /** Where each level has a part of the coordinates for itself: 1 there and 0 elsewhere, [1, width] per level. */
  readonly parts?: readonly tf.Tensor2D[] | undefined;
}

export function quantise(
  z: tf.Tensor2D,
  codebooks: readonly tf.Tensor2D[],
  choose: ChooseCodes = nearest,
): Quantised {
  const codes: tf.Tensor1D[] = [];
  const chosen: tf.Tensor2D[] = [];
  const partialSums: tf.Tensor2D[] = [];
  const residuals: tf.Tensor2D[] = [z];
  for (const codebook of codebooks) {
    const code = choose(stopGradient(residuals.at(-1)!), stopGradient(codebook));
    const vector = tf.gather(codebook, code);
    const sum = partialSums.length === 0 ? vector : tf.add<tf.Tensor2D>(partialSums.at(-1)!, vector);
    codes.push(code);
    chosen.push(vector);
    partialSums.push(sum);
    residuals.push(tf.sub(z, sum));
  }
  return { codes, chosen, partialSums, residuals };
}

/** How vectors get their codes: [vector, width] x [code, width] -> [vector] int32. */
export type ChooseCodes = (vectors: tf.Tensor2D, codebook: tf.Tensor2D) => tf.Tensor1D;

/** Index of the nearest code: [vector, width] x [code, width] -> [vector] int32. */
export const nearest = (vectors: tf.Tensor2D, codebook: tf.Tensor2D): tf.Tensor1D =>
  tf.argMax(proximities(vectors, codebook), 1);

/**
 * 2 v.x - |x|^2 = |v|^2 - |v - x|^2: what tells distances from one vector to several codes apart.
 * [..., vector, width] x [..., code, width] -> [..., vector, code].
 */
export function proximities<T extends tf.Tensor>(vectors: T, codes: T): T {
  const products = tf.mul(tf.matMul(vectors, codes, false, true), 2);
  return tf.sub(products, tf.expandDims(tf.sum(tf.square(codes), -1), -2));
}

/** |v - x|^2: [vector, width] x [code, width] -> [vector, code]. */
export const squaredDistances = (vectors: tf.Tensor2D, codebook: tf.Tensor2D): tf.Tensor2D =>
  tf.sub(tf.sum(tf.square(vectors), 1, true), proximities(vectors, codebook));
