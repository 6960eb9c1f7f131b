import { tf } from '../engine/tf.js';
import { stopGradient } from '../engine/autodiff.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';
import { proximities } from '../codebooks/residual.js';
import { dotWithEach } from '../layers/normalize.js';
import { lookUpPersonal } from '../layers/personalTable.js';
import { symmetricDivergence } from './divergence.js';

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
 * The mean is each request's own, so that the loss of a request does not depend on those beside it, and several workers need not know it.
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

export function alignmentLoss(inputs: AlignmentInputs, options: AlignmentOptions): tf.Scalar {
  const { attached } = options;
  const hold = <T extends tf.Tensor>(x: T): T => (attached ? x : stopGradient(x));
  const [requests, candidates, width] = inputs.latent.shape;
  const counted = tf.maximum(overWorkers(tf.sum(inputs.mask)), tf.scalar(1));
  const soften = softness(inputs.mask, options);
  let residual = tf.reshape<tf.Rank.R2>(hold(inputs.latent), [requests * candidates, width]);
  let attended: tf.Tensor3D = stopGradient(inputs.teacher);
  let total = tf.scalar(0);
  inputs.raw.forEach((codebook, level) => {
    const raw = hold(codebook);
    const personal = inputs.personal[level]!;
    const codes = inputs.codes[level]!;
    const perRequest = (x: tf.Tensor2D): tf.Tensor3D => tf.reshape(x, [requests, candidates, -1]);
    const divergence = symmetricDivergence(
      soften(perRequest(residual), tf.expandDims(raw, 0), perRequest(proximities(residual, raw))),
      soften(attended, personal, proximities(attended, personal)),
    );
    total = tf.add(total, tf.div(tf.sum(tf.mul(divergence, inputs.mask)), counted));

    residual = tf.sub(residual, tf.gather(raw, tf.reshape(codes, [-1])));
    attended = tf.sub(attended, lookUpPersonal(personal, codes));
  });
  return total;
}

/**
 * Logits over the codes from their proximities |v|^2 - |v - x|^2, in which |v|^2, the same for all codes, changes nothing: times
 * `sharpness` over the mean distance |v - x|^2 of the request's real candidates to all codes (or as they are).
 * vectors: [request, candidate, width]; codes: [request or 1, code, width]; proximities: [request, candidate, code].
 */
function softness(mask: tf.Tensor2D, { sharpness }: AlignmentOptions) {
  if (sharpness === 0) return (_v: tf.Tensor3D, _x: tf.Tensor3D, proximities: tf.Tensor3D) => proximities;
  const candidates = tf.maximum(tf.sum(mask, 1), 1);
  return (vectors: tf.Tensor3D, codes: tf.Tensor3D, proximities: tf.Tensor3D): tf.Tensor3D => {
    const distances = summedDistances(stopGradient(vectors), stopGradient(codes));
    const mean = tf.div(tf.sum(tf.mul(distances, mask), 1), tf.mul(candidates, codes.shape[1]));
    const scale = tf.div(sharpness, tf.add(tf.relu(mean), 1e-12)); // [request]
    return tf.mul(proximities, tf.reshape(scale, [-1, 1, 1]));
  };
}

/**
 * Σ_k |v - x_k|^2 = K |v|^2 - 2 v . Σ_k x_k + Σ_k |x_k|^2:
 * [request, candidate, width] x [request or 1, code, width] -> [request, candidate].
 */
function summedDistances(vectors: tf.Tensor3D, codes: tf.Tensor3D): tf.Tensor {
  const lengths = tf.mul(tf.sum(tf.square(vectors), 2), codes.shape[1]);
  const products = tf.mul(dotWithEach(tf.sum(codes, 1), vectors), 2);
  return tf.add(tf.sub(lengths, products), tf.reshape(tf.sum(tf.square(codes), [1, 2]), [-1, 1]));
}
