/**
 * Multi-head attention as the pre-ranking papers use it (tarq.md 1.4): separate maps with bias for queries, keys and values, heads
 * concatenated, no output map, no residual and no layer norm inside.
 *
 *   logits_hqj = (q_h . k_hj) / sqrt(width / heads) + bias_qj          (padding -1e9)
 *   out_hq     = Σ_j softmax_j(logits_hqj) v_hj
 *
 * A query over an empty sequence gives zeros. Long sequences are attended to in chunks (chunkedAttention.ts).
 */
import { tf } from '../engine/tf.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import { chunkedAttention, type Factors } from './chunkedAttention.js';
import { isLong } from './chunks.js';
import { linear, linearInitial } from './linear.js';
import { logSumExp } from './logSumExp.js';
import { scaledDotProduct } from './scaledDotProduct.js';

/** Added to the logit of a padded position: far below any real one, yet finite. */
const paddingLogit = -1e9;

export interface AttentionShape {
  /** Width of what queries are made of. */
  readonly query: number;
  /** Width of a behaviour. */
  readonly key: number;
  /** Width of queries, keys and values, all heads together. */
  readonly width: number;
  readonly heads: number;
}

export function attentionInitial(name: string, shape: AttentionShape, stream: RandomStream): Initial {
  return {
    ...linearInitial(`${name}/query`, { from: shape.query, to: shape.width }, stream),
    ...linearInitial(`${name}/key`, { from: shape.key, to: shape.width }, stream),
    ...linearInitial(`${name}/value`, { from: shape.key, to: shape.width }, stream),
  };
}

/**
 * What is added to every head's logits: as it is, broadcast to [request, query, behaviour], or for a long sequence by its factors,
 * queries [request or 1, query, width] and keys [request, behaviour, width].
 */
export type AttentionBias = tf.Tensor | Factors;

/** Already mapped queries, keys and values. */
export interface AttentionInputs {
  /** [request or 1, query, width] */
  readonly queries: tf.Tensor3D;
  /** [request, behaviour, width] */
  readonly keys: tf.Tensor3D;
  /** [request, behaviour, width] */
  readonly values: tf.Tensor3D;
  /** [request, behaviour], 1 = real. */
  readonly mask: tf.Tensor2D;
  readonly heads: number;
  readonly bias?: AttentionBias | undefined;
  /** What the result is multiplied by, [1]. */
  readonly gate?: tf.Tensor | undefined;
}

/** -> [request, query, width] */
export function attend({ queries, keys, values, mask, heads, bias, gate }: AttentionInputs): tf.Tensor3D {
  const [requests, behaviours, width] = keys.shape;
  const factor = factorOf(mask, gate);
  if (isLong(behaviours)) {
    const scaled = tf.mul<tf.Tensor3D>(overRequests(queries, requests), Math.sqrt(heads / width));
    const shared = withPadding(mask, queries.shape[1], bias as Factors | undefined); // of a long sequence, as its type says
    const { vector } = chunkedAttention({ own: { queries: scaled, keys, heads }, shared, values });
    return tf.mul(vector, factor);
  }
  return scaledDotProduct(queries, keys, values, paddedBias(mask, bias), factor, heads);
}

/** What the result is multiplied by: [request, 1, 1]. */
export const factorOf = (mask: tf.Tensor2D, gate?: tf.Tensor): tf.Tensor3D =>
  gate ? tf.mul(hasHistory(mask), gate) : hasHistory(mask);

/** Bias of a short sequence and its padding's: [request, query or 1, behaviour]. */
export function paddedBias(mask: tf.Tensor2D, bias?: AttentionBias): tf.Tensor3D {
  const padding = tf.expandDims<tf.Tensor3D>(paddingBias(mask), 1);
  return bias ? tf.add(bias as tf.Tensor, padding) : padding; // of a short one no factors
}

/** log Σ_j exp(bias_qj) over real behaviours: [request, query]. */
export function biasLogSum(bias: AttentionBias, mask: tf.Tensor2D): tf.Tensor2D {
  if (bias instanceof tf.Tensor) {
    return logSumExp(tf.add(bias, tf.expandDims(paddingBias(mask), 1))) as tf.Tensor2D;
  }
  const shared = withPadding(mask, bias.queries.shape[1], bias);
  const { logSums } = chunkedAttention({ shared, values: tf.ones([...mask.shape, 1]) });
  return tf.squeeze(logSums, [2]);
}

/** Factors of a bias, if there is one, and of the padding's: 1 times what a position adds to every query's logit. */
function withPadding(mask: tf.Tensor2D, queries: number, bias?: Factors): Factors {
  const [requests] = mask.shape;
  const ones = tf.ones<tf.Rank.R3>([requests, queries, 1]);
  const padding = tf.expandDims<tf.Tensor3D>(paddingBias(mask), 2);
  if (!bias) return { queries: ones, keys: padding };
  return {
    queries: tf.concat([overRequests(bias.queries, requests), ones], 2),
    keys: tf.concat([bias.keys, padding], 2),
  };
}

/** The same queries for every request where they are given once. */
const overRequests = (queries: tf.Tensor3D, requests: number): tf.Tensor3D =>
  queries.shape[0] === requests ? queries : tf.tile(queries, [requests, 1, 1]);

/** What is added to logits over behaviours so that padding gets no weight: [request, behaviour]. */
export const paddingBias = (mask: tf.Tensor2D): tf.Tensor2D => tf.mul(tf.sub(1, mask), paddingLogit);

/** 1 for a request with at least one behaviour, else 0: [request, 1, 1]. */
export function hasHistory(mask: tf.Tensor2D): tf.Tensor3D {
  return tf.reshape(tf.minimum(tf.sum(mask, 1), tf.ones([mask.shape[0]])), [mask.shape[0], 1, 1]);
}

/**
 * Maps and attends: MHA(x_query, x, x).
 * query: [request, query, shape.query]; x: [request, behaviour, shape.key] -> [request, query, width].
 */
export function multiHeadAttention(
  parameters: Parameters,
  name: string,
  heads: number,
  query: tf.Tensor3D,
  x: tf.Tensor3D,
  mask: tf.Tensor2D,
): tf.Tensor3D {
  return attend({
    queries: linear(parameters, `${name}/query`, query) as tf.Tensor3D,
    keys: linear(parameters, `${name}/key`, x) as tf.Tensor3D,
    values: linear(parameters, `${name}/value`, x) as tf.Tensor3D,
    mask,
    heads,
  });
}
