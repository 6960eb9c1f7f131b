import * as tf from '@tensorflow/tfjs';
import type { Initial, Parameters } from '../engine/state.js';
import { recencyBias, recencyInitial } from '../layers/attention.js';
import { unit } from '../layers/normalize.js';

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

/** What similarity is measured against, exp(log_similarity) e_j/|e_j|, made once for all queries; x: [request, behaviour, shared]. */
export function similarityKeys(
  { similarityStart }: SimilarityOptions,
  parameters: Parameters,
  x: tf.Tensor3D,
): tf.Tensor3D {
  return similarityStart > 0 ? tf.mul(unit(x), tf.exp(parameters.log_similarity!)) : x;
}

/**
 * queries: [request or 1, query, shared]; keys: [request, behaviour, shared], by `similarityKeys`
 * -> [request, query, behaviour], or undefined where neither term is on.
 */
export function similarityBias(
  options: SimilarityOptions,
  parameters: Parameters,
  queries: tf.Tensor3D,
  keys: tf.Tensor3D,
): tf.Tensor | undefined {
  const terms: tf.Tensor[] = [];
  if (options.similarityStart > 0) terms.push(tf.matMul(queries, keys, false, true));
  if (options.recency) terms.push(tf.expandDims(recencyBias(parameters), 0));
  return terms.length === 0 ? undefined : terms.reduce((sum, term) => tf.add(sum, term));
}
