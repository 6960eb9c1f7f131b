import { tf } from '../engine/tf.js';
import type { Initial, Parameters } from '../engine/state.js';
import type { AttentionBias } from '../layers/attention.js';
import { isLong } from '../layers/chunks.js';
import type { Factors } from '../layers/chunkedAttention.js';
import { unit } from '../layers/normalize.js';
import { recencyBias, recencyInitial } from '../layers/recency.js';

/**
 * The bias on attention logits that makes an attention depend on its target from the first step:
 *   bias_qj = exp(log_similarity) <q, e_j/|e_j|> + recency[age_j]
 * with q a unit vector (a candidate) or the decoded part of a code. It is a query and key map tied at the identity; without it
 * nothing is target-dependent at the start and no gradient path finds it within a few epochs (reference-experiments.md section 4).
 */
export interface SimilarityOptions {
  /** First value of the factor; 0 = no similarity term. */
  readonly similarityStart: number;
  readonly recency: boolean;
}

export function similarityInitial(
  { similarityStart, recency }: SimilarityOptions,
  behaviours: number,
): Initial {
  return {
    ...(similarityStart > 0 && {
      log_similarity: { shape: [], values: Float32Array.of(Math.log(similarityStart)) },
    }),
    ...(recency && recencyInitial(behaviours)),
  };
}

/** What similarity is measured against, exp(log_similarity) e_j/|e_j|, made once for all queries; x: [request, behaviour, coded]. */
export function similarityKeys(
  { similarityStart }: SimilarityOptions,
  parameters: Parameters,
  x: tf.Tensor3D,
): tf.Tensor3D {
  return similarityStart > 0 ? unit(x, tf.exp(parameters.log_similarity as tf.Scalar)) : x;
}

/**
 * queries: [request or 1, query, coded]; keys: [request, behaviour, coded], by `similarityKeys`
 * -> [request, query, behaviour], its factors for a long sequence, or undefined where neither term is on.
 */
export function similarityBias(
  options: SimilarityOptions,
  parameters: Parameters,
  queries: tf.Tensor3D,
  keys: tf.Tensor3D,
): AttentionBias | undefined {
  const length = keys.shape[1];
  if (isLong(length)) return similarityFactors(options, parameters, queries, keys);
  const terms: tf.Tensor[] = [];
  if (options.similarityStart > 0) terms.push(tf.matMul(queries, keys, false, true));
  if (options.recency) terms.push(tf.expandDims(recencyBias(parameters, length), 0));
  return terms.length === 0 ? undefined : terms.reduce((sum, term) => tf.add(sum, term));
}

/** q . (g e_j) + 1 r[age_j] */
function similarityFactors(
  { similarityStart, recency }: SimilarityOptions,
  parameters: Parameters,
  queries: tf.Tensor3D,
  keys: tf.Tensor3D,
): Factors | undefined {
  const [requests, length] = keys.shape;
  const terms: Factors[] = [];
  if (similarityStart > 0) {
    terms.push({ queries, keys });
  }
  if (recency) {
    const logits: tf.Tensor3D = tf.reshape(recencyBias(parameters, length), [1, length, 1]);
    terms.push({
      queries: tf.ones([queries.shape[0], queries.shape[1], 1]),
      keys: tf.tile(logits, [requests, 1, 1]),
    });
  }
  if (terms.length === 0) return undefined;
  return {
    queries: tf.concat(
      terms.map((term) => term.queries),
      2,
    ),
    keys: tf.concat(
      terms.map(({ keys }) => keys),
      2,
    ),
  };
}
