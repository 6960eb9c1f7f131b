import { tf } from '../engine/tf.js';
import type { CodebookConfig } from '../config/config.js';
import { straightThrough, stopGradient } from '../engine/autodiff.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';
import type { Quantised } from '../codebooks/residual.js';
import { rotated } from '../codebooks/rotation.js';

export interface AutoencoderOptions extends Pick<CodebookConfig, 'commitment' | 'gradient'> {
  /** How many of its first levels each vector uses, [vector]; all of them without (codebooks/levelDropout.ts). */
  readonly kept?: tf.Tensor1D;
}

/**
 * The RQ-VAE objective.
 *   L = mean |sg(x) - G(z + sg(ẑ - z))|^2  +  Σ_l mean |sg(r^(l-1)) - X^l_k|^2  +  beta Σ_l mean |r^(l-1) - sg(X^l_k)|^2
 * With the rotation trick ẑ stands in the first term as its own gradient path says (codebooks/rotation.ts), once for the whole sum.
 * Distances are summed over the width, means are over vectors (so a weight refers to whole vectors: tarq.md 2.2, unit warning).
 * target: [vector, input] (a constant: else embeddings could lower the loss by shrinking); latent: [vector, latent]; mask: [vector],
 * 1 = real.
 * Sources: Lee et al. 2022, section 3; tarq.md 1.6.1. Codes get gradients, so that codebook alignment can move them.
 */
export function autoencoderLoss(
  target: tf.Tensor2D,
  latent: tf.Tensor2D,
  quantised: Quantised,
  decode: (latent: tf.Tensor2D) => tf.Tensor2D,
  { commitment, gradient, kept }: AutoencoderOptions,
  mask: tf.Tensor1D,
): tf.Scalar {
  const counted = tf.maximum(overWorkers(tf.sum(mask)), tf.scalar(1));
  const meanSquaredLength = (x: tf.Tensor, among: tf.Tensor = mask): tf.Scalar =>
    tf.div(tf.sum(tf.mul(tf.sum(tf.square(x), 1), among)), counted);
  const uses = kept && quantised.chosen.map((_, level) => tf.cast(tf.greater(kept, level), 'float32'));
  const sum = uses
    ? quantised.chosen
        .map((code, level) => tf.mul<tf.Tensor2D>(code, tf.expandDims(uses[level]!, 1)))
        .reduce((total, code) => tf.add(total, code))
    : quantised.partialSums.at(-1)!;
  const decoded = decode(gradient === 'rotation' ? rotated(sum, latent) : straightThrough(sum, latent));
  let loss = meanSquaredLength(tf.sub(stopGradient(target), decoded));
  quantised.chosen.forEach((code, level) => {
    const left = level === 0 ? latent : tf.sub(latent, stopGradient(quantised.partialSums[level - 1]!));
    // What other levels have for themselves is none of this one's business: it would be pulled to 0.
    const residual = quantised.parts ? tf.mul(left, quantised.parts[level]!) : left;
    const among = uses ? tf.mul(mask, uses[level]!) : mask;
    loss = tf.add(loss, meanSquaredLength(tf.sub(stopGradient(residual), code), among));
    const pull = meanSquaredLength(tf.sub(residual, stopGradient(code)), among);
    loss = tf.add(loss, tf.mul(pull, commitment));
  });
  return loss;
}
