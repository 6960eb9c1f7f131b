/** Attention of queries in phi's space over a request's history: the part of attention at codes (codeAttention.ts) that sees behaviours. */
import { tf } from '../engine/tf.js';
import type { Parameters } from '../engine/state.js';
import { hasHistory, paddingBias } from '../layers/attention.js';
import { chunkedAttention } from '../layers/chunkedAttention.js';
import { isLong } from '../layers/chunks.js';
import { codedBy, type SequenceInput } from '../layers/inputs.js';
import { linear } from '../layers/linear.js';
import { logSumExp } from '../layers/logSumExp.js';
import { unit } from '../layers/normalize.js';
import { recencyBias } from '../layers/recency.js';

/** phi: [..., coded] -> [..., coded], of length sqrt(g). */
export const kernel = <T extends tf.Tensor>(coded: T, parameters: Parameters): T =>
  unit(coded, tf.exp(tf.div(parameters.log_similarity as tf.Scalar, 2)));

/** A request's behaviours as attention reads them. */
export interface History {
  /** phi_j: [request, behaviour, coded] */
  readonly kernel: tf.Tensor3D;
  /** r[age_j], and what keeps padding away: [request, behaviour] */
  readonly bias: tf.Tensor2D;
  /** e_j: [request, behaviour, shared] */
  readonly x: tf.Tensor3D;
  /** 1 where there are behaviours: [request, 1, 1] */
  readonly present: tf.Tensor3D;
}

export function historyOf(sequence: SequenceInput, recency: boolean, parameters: Parameters): History {
  const { x, mask } = sequence;
  const padding = paddingBias(mask);
  return {
    kernel: kernel(codedBy.sequence(sequence), parameters),
    bias: recency ? tf.add(recencyBias(parameters, mask.shape[1]), padding) : padding,
    x,
    present: hasHistory(mask),
  };
}

/** What attention at some queries gives: each [request, query, …]. */
export interface Attended {
  /** A */
  readonly excess: tf.Tensor;
  /** Σ_j w_j phi_j */
  readonly centre: tf.Tensor3D;
  /** h = W (V Σ_j w_j e_j + v0) */
  readonly vector: tf.Tensor3D;
  /** exp(log_scale) h / |h|; zero without history. */
  readonly direction: tf.Tensor3D;
}

/** Attention of queries [request, query, coded]; in chunks over a long history. */
export function attendAt(queries: tf.Tensor3D, history: History, parameters: Parameters): Attended {
  const { kernel: phi, bias, x } = history;
  if (!isLong(x.shape[1])) return attendBy(tf.matMul(queries, phi, false, true), history, parameters);
  const { vector, logSums } = chunkedAttention({
    shared: {
      queries: tf.concat([queries, tf.ones([queries.shape[0], queries.shape[1], 1])], 2),
      keys: tf.concat([phi, tf.expandDims(bias, 2)], 2),
    },
    values: tf.concat([x, phi], 2),
  });
  const [mean, centre] = tf.split(vector, [x.shape[2], phi.shape[2]], 2) as [tf.Tensor3D, tf.Tensor3D];
  return {
    ...directed(mean, history, parameters),
    excess: excessOf(tf.squeeze(logSums, [2]), parameters),
    centre,
  };
}

/** Attention by the queries' products q . phi_j, without bias: [request, query, behaviour]. */
export function attendBy(
  products: tf.Tensor,
  history: History,
  parameters: Parameters,
): Attended & { readonly weights: tf.Tensor } {
  const logits = tf.add(products, tf.expandDims(history.bias, 1));
  const weights = tf.softmax(logits);
  return {
    weights,
    ...directed(tf.matMul(weights, history.x), history, parameters),
    excess: excessOf(logSumExp(logits), parameters),
    centre: tf.matMul(weights, history.kernel),
  };
}

/** mean: Σ_j w_j e_j */
function directed(mean: tf.Tensor, { present }: History, parameters: Parameters) {
  const vector = linear(parameters, 'head', linear(parameters, 'value', mean)) as tf.Tensor3D;
  const direction = tf.mul<tf.Tensor3D>(unit(vector, tf.exp(parameters.log_scale as tf.Scalar)), present);
  return { vector, direction };
}

const excessOf = (logSum: tf.Tensor, parameters: Parameters): tf.Tensor =>
  tf.sub(logSum, tf.exp(parameters.log_similarity!));
