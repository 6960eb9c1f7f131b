/**
 * Multi-head attention as the pre-ranking papers use it (tarq.md 1.4): separate maps with bias for queries, keys and values, heads
 * concatenated, no output map, no residual and no layer norm inside.
 *
 *   logits_hqj = (q_h . k_hj) / sqrt(width / heads) + bias_qj          (padding -1e9)
 *   out_hq     = Σ_j softmax_j(logits_hqj) v_hj
 *
 * A query over an empty sequence gives zeros.
 */
import * as tf from '@tensorflow/tfjs';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import { linear, linearInitial } from './linear.js';
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
 * Attention of already mapped queries over mapped keys and values.
 * queries: [request or 1, query, width]; keys, values: [request, behaviour, width]; mask: [request, behaviour], 1 = real;
 * bias: broadcast to [request, query, behaviour], added to every head's logits -> [request, query, width].
 */
export function attend(
  queries: tf.Tensor3D,
  keys: tf.Tensor3D,
  values: tf.Tensor3D,
  mask: tf.Tensor2D,
  heads: number,
  bias?: tf.Tensor,
): tf.Tensor3D {
  const [requests, behaviours] = keys.shape;
  const padding = tf.reshape(paddingBias(mask), [requests, 1, behaviours]);
  const shared = bias ? tf.add(bias, padding) : padding;
  const joined = scaledDotProduct(queries, keys, values, shared as tf.Tensor3D, heads);
  return tf.mul(joined, hasHistory(mask));
}

/** What is added to logits over behaviours so that padding gets no weight: [request, behaviour]. */
export const paddingBias = (mask: tf.Tensor2D): tf.Tensor2D => tf.mul(tf.sub(1, mask), paddingLogit);

/** A learned logit per age of a behaviour, started at 0; age 0 is the newest. */
export const recencyInitial = (behaviours: number): Initial => ({
  recency: { shape: [behaviours], values: new Float32Array(behaviours) },
});

/** The recency logits as [1, behaviour]: behaviours stand newest first, so a position is an age. */
export const recencyBias = (parameters: Parameters): tf.Tensor2D => tf.reshape(parameters.recency!, [1, -1]);

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
  bias?: tf.Tensor,
): tf.Tensor3D {
  return attend(
    linear(parameters, `${name}/query`, query) as tf.Tensor3D,
    linear(parameters, `${name}/key`, x) as tf.Tensor3D,
    linear(parameters, `${name}/value`, x) as tf.Tensor3D,
    mask,
    heads,
    bias,
  );
}
