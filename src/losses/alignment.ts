import * as tf from '@tensorflow/tfjs';
import { stopGradient } from '../engine/autodiff.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';
import { squaredDistances } from '../codebooks/residual.js';
import { lookUpPersonal } from '../layers/personalTable.js';

/**
 * Codebook alignment: the geometry of a request's personal codebook is pulled to the geometry of the raw one.
 *   P_l    = softmax_k(-|r^(l-1) - X^l_k|^2)               raw codes, r^0 = item latent
 *   Pbar_l = softmax_k(-|rbar^(l-1) - Xbar^l_k|^2)         personal codes, rbar^0 = teacher's vector, a constant
 *   L      = Σ_l mean over candidates of KL(P_l|Pbar_l) + KL(Pbar_l|P_l)
 * and both residuals go on with the code that is nearest in raw space.
 * latent: [request, candidate, latent]; raw: per level [code, latent]; teacher: [request, candidate, width];
 * personal: per level [request, code, width]; codes: per level [request, candidate] int32; mask: [request, candidate].
 *
 * Source: the authors' code, tarq.md 1.7. Two settings depart from it, both measured (reference-experiments.md section 4): without
 * `attached` the raw side is a constant, because with it the trivial solution collapses the codebooks; and `sharpness` scales the
 * distances by their mean, because at the scale of small embeddings both softmaxes are flat and the loss is inert (0 = as the paper).
 */
export interface AlignmentInputs {
  readonly latent: tf.Tensor3D;
  readonly raw: readonly tf.Tensor2D[];
  readonly teacher: tf.Tensor3D;
  readonly personal: readonly tf.Tensor3D[];
  readonly codes: readonly tf.Tensor2D[];
  readonly mask: tf.Tensor2D;
}

export interface AlignmentOptions {
  readonly attached: boolean;
  readonly sharpness: number;
}

/** The log-ratio of two softmaxes is clipped here, as the authors' guards of 1e-8 do. */
const largestLogRatio = 18;

export function alignmentLoss(inputs: AlignmentInputs, { attached, sharpness }: AlignmentOptions): tf.Scalar {
  const hold = <T extends tf.Tensor>(x: T): T => (attached ? x : stopGradient(x));
  const [requests, candidates, width] = inputs.latent.shape;
  const counted = tf.maximum(overWorkers(tf.sum(inputs.mask)), tf.scalar(1));
  const meanOf = (distances: tf.Tensor3D) => {
    const real = tf.mul(distances, tf.expandDims(inputs.mask, 2));
    return tf.div(overWorkers(tf.sum(real)), tf.mul(counted, distances.shape[2]));
  };
  let residual = tf.reshape<tf.Rank.R2>(hold(inputs.latent), [requests * candidates, width]);
  let attended: tf.Tensor3D = stopGradient(inputs.teacher);
  let total = tf.scalar(0);
  inputs.raw.forEach((codebook, level) => {
    const raw = hold(codebook);
    const personal = inputs.personal[level]!;
    const codes = inputs.codes[level]!;
    const count = raw.shape[0];
    const rawDistances = tf.reshape<tf.Rank.R3>(squaredDistances(residual, raw), [
      requests,
      candidates,
      count,
    ]);
    const logP = logSoftness(rawDistances, sharpness, meanOf);
    const logPbar = logSoftness(batchedDistances(attended, personal), sharpness, meanOf);
    const ratio = tf.clipByValue(tf.sub(logP, logPbar), -largestLogRatio, largestLogRatio);
    const divergence = tf.sum(tf.mul(tf.sub(tf.exp(logP), tf.exp(logPbar)), ratio), 2);
    total = tf.add(total, tf.div(tf.sum(tf.mul(divergence, inputs.mask)), counted));

    residual = tf.sub(residual, tf.gather(raw, tf.reshape(codes, [-1])));
    attended = tf.sub(attended, lookUpPersonal(personal, codes));
  });
  return total;
}

/** log softmax of the negative distances, scaled so that their mean over real candidates is `sharpness` (or not at all). */
function logSoftness(
  distances: tf.Tensor3D,
  sharpness: number,
  meanOf: (distances: tf.Tensor3D) => tf.Tensor,
): tf.Tensor3D {
  if (sharpness === 0) return tf.logSoftmax(tf.neg(distances));
  const scale = stopGradient(tf.div(sharpness, tf.add(meanOf(distances), 1e-12)));
  return tf.logSoftmax(tf.neg(tf.mul(distances, scale)));
}

/** |v - x|^2 within each request: [request, candidate, width] x [request, code, width] -> [request, candidate, code]. */
function batchedDistances(vectors: tf.Tensor3D, codes: tf.Tensor3D): tf.Tensor3D {
  const products = tf.matMul(vectors, codes, false, true);
  const lengths = tf.expandDims(tf.sum(tf.square(codes), 2), 1);
  return tf.add(tf.sub(tf.sum(tf.square(vectors), 2, true), tf.mul(products, 2)), lengths);
}
