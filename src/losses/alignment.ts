import * as tf from '@tensorflow/tfjs';
import { stopGradient } from '../engine/autodiff.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';
import { squaredDistances } from '../codebooks/residual.js';
import { firstRequests } from '../layers/firstRequests.js';
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
 * The mean is one of the first requests, a sample as rows are in random order: several workers need it before they know their loss.
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
  /** The first requests, whose mean distances set the scale. */
  readonly scaleRequests: number;
}

/** The log-ratio of two softmaxes is clipped here, as the authors' guards of 1e-8 do. */
const largestLogRatio = 18;

export function alignmentLoss(inputs: AlignmentInputs, options: AlignmentOptions): tf.Scalar {
  const { attached } = options;
  const hold = <T extends tf.Tensor>(x: T): T => (attached ? x : stopGradient(x));
  const [requests, candidates, width] = inputs.latent.shape;
  const counted = tf.maximum(overWorkers(tf.sum(inputs.mask)), tf.scalar(1));
  const logSoftness = softness(inputs.mask, options);
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
    const logP = logSoftness(rawDistances);
    const logPbar = logSoftness(batchedDistances(attended, personal));
    const ratio = tf.clipByValue(tf.sub(logP, logPbar), -largestLogRatio, largestLogRatio);
    const divergence = tf.sum(tf.mul(tf.sub(tf.exp(logP), tf.exp(logPbar)), ratio), 2);
    total = tf.add(total, tf.div(tf.sum(tf.mul(divergence, inputs.mask)), counted));

    residual = tf.sub(residual, tf.gather(raw, tf.reshape(codes, [-1])));
    attended = tf.sub(attended, lookUpPersonal(personal, codes));
  });
  return total;
}

/** log softmax of negative distances, scaled so that their mean over the real candidates of the first requests is `sharpness` (or not at all). */
function softness(mask: tf.Tensor2D, { sharpness, scaleRequests }: AlignmentOptions) {
  if (sharpness === 0) return (distances: tf.Tensor3D) => tf.logSoftmax(tf.neg(distances));
  const requests = Math.min(mask.shape[0], scaleRequests);
  const first = firstRequests(requests);
  const real = tf.expandDims(first(mask), 2);
  const candidates = tf.maximum(overWorkers(tf.sum(real)), tf.scalar(1));
  return (distances: tf.Tensor3D) => {
    const sum = overWorkers(tf.sum(tf.mul(first(distances), real)), requests);
    const mean = tf.div(sum, tf.mul(candidates, distances.shape[2]));
    const scale = stopGradient(tf.div(sharpness, tf.add(mean, 1e-12)));
    return tf.logSoftmax(tf.neg(tf.mul(distances, scale)));
  };
}

/** |v - x|^2 within each request: [request, candidate, width] x [request, code, width] -> [request, candidate, code]. */
function batchedDistances(vectors: tf.Tensor3D, codes: tf.Tensor3D): tf.Tensor3D {
  const products = tf.matMul(vectors, codes, false, true);
  const lengths = tf.expandDims(tf.sum(tf.square(codes), 2), 1);
  return tf.add(tf.sub(tf.sum(tf.square(vectors), 2, true), tf.mul(products, 2)), lengths);
}
