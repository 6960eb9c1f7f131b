import { tf } from '../engine/tf.js';
import type { AttentionTeacherConfig } from '../config/config.js';
import type { Initial, Parameters } from '../engine/state.js';
import {
  attend,
  attentionInitial,
  biasLogSum,
  multiHeadAttention,
  type AttentionBias,
} from '../layers/attention.js';
import type { Dimensions } from '../layers/inputs.js';
import { linear, linearInitial } from '../layers/linear.js';
import { mlp, mlpInitial } from '../layers/mlp.js';
import { cosine, unit } from '../layers/normalize.js';
import { parametersOf, scoreBlock, type PreRanker } from './preRanker.js';
import type { Ranker } from './ranker.js';
import { similarityBias, similarityInitial, similarityKeys } from './similarity.js';
import { primed, primedInitial } from '../layers/primed.js';

/**
 * The target-attention ranker: every candidate attends to the sequence.
 *   H    = X Wr + MHA(X, X, X)                                  (residual and self-attention are settings)
 *   h_c  = Σ_j softmax_j(q_c k_j / sqrt(width) + g cos(e_c, e_j) + r[age_j]) v_j,   q from e_c, k and v from H
 *   f_c  = log(1 + Σ_j exp(g cos(e_c, e_j) + r[age_j] - g))      soft count of behaviours like the candidate, a setting
 *   s_c  = two-tower score + exp(log_scale) cos(W h_c, P(item_c)) + bias + w f_c,   w starting at 0
 * X, e: behaviours' and candidate's shared embeddings, [request, behaviour, shared] and [request, candidate, shared];
 * h: [request, candidate, width].
 * Source: tarq.md 1.5 for the frame; residual and similarity start are what makes it live (reference-experiments.md section 4,
 * item 1: AUC .72 -> .82 on Taobao, within-request share 1e-12 -> .43); soft count from tangent-codes.md (.8191 -> .8273).
 */
export interface AttentionRankerOptions {
  readonly teacher: AttentionTeacherConfig;
  readonly dimensions: Dimensions;
  /** The two-tower part of the score, with parameters of its own. */
  readonly towers: PreRanker;
  /** Hidden width of the item's projection P. */
  readonly projectionHidden: number;
}

export function attentionRanker({
  teacher,
  dimensions,
  towers,
  projectionHidden,
}: AttentionRankerOptions): Ranker {
  const { width, heads } = teacher;
  const { shared, item, behaviours } = dimensions;
  const encoded = teacher.residual || teacher.selfAttention ? width : shared;
  return {
    initial(stream) {
      const towerInitial = Object.entries(towers.initial(stream)).map(([name, value]) => [
        `towers/${name}`,
        value,
      ]);
      return {
        ...(Object.fromEntries(towerInitial) as Initial),
        ...(teacher.residual && linearInitial('residual', { from: shared, to: width }, stream)),
        ...(teacher.selfAttention &&
          attentionInitial('self_attention', { query: shared, key: shared, width, heads }, stream)),
        ...attentionInitial('target_attention', { query: shared, key: encoded, width, heads }, stream),
        ...similarityInitial(teacher, behaviours),
        ...linearInitial('head', { from: width, to: width, bias: false }, stream),
        ...mlpInitial('projection', [item, projectionHidden, width], stream),
        log_scale: { shape: [], values: Float32Array.of(Math.log(5)) },
        bias: { shape: [], values: new Float32Array(1) },
        ...(countsSoftly(teacher) && primedInitial('soft_count')),
      };
    },
    rank(inputs, parameters) {
      const { x, mask } = inputs.sequence;
      const encodedSequence = encode(teacher, x, mask, parameters);
      const candidates = inputs.item.shared as tf.Tensor3D;
      const similar = similarityKeys(teacher, parameters, x);
      const bias = similarityBias(teacher, parameters, unit(candidates), similar);
      const vector = attend({
        queries: linear(parameters, 'target_attention/query', candidates) as tf.Tensor3D,
        keys: linear(parameters, 'target_attention/key', encodedSequence) as tf.Tensor3D,
        values: linear(parameters, 'target_attention/value', encodedSequence) as tf.Tensor3D,
        mask,
        heads,
        bias,
      });
      const projection = mlp(parameters, 'projection', 2, inputs.item.x);
      const match = cosine(linear(parameters, 'head', vector), projection);
      const interaction = tf.add(tf.mul(match, tf.exp(parameters.log_scale!)), parameters.bias!);
      const base = tf.add(scoreBlock(towers, inputs, parametersOf(parameters, 'towers')), interaction);
      if (!bias || !countsSoftly(teacher)) return { logits: base as tf.Tensor2D, vector };
      const count = softCount(bias, mask, parameters);
      return { logits: tf.add(base, tf.mul(count, primed(parameters, 'soft_count'))), vector };
    },
  };
}

/** H: [request, behaviour, width], or X itself where neither self-attention nor residual is on. */
function encode(
  teacher: AttentionTeacherConfig,
  x: tf.Tensor3D,
  mask: tf.Tensor2D,
  parameters: Parameters,
): tf.Tensor3D {
  const residual = teacher.residual ? (linear(parameters, 'residual', x) as tf.Tensor3D) : null;
  const attended = teacher.selfAttention
    ? multiHeadAttention(parameters, 'self_attention', teacher.heads, x, x, mask)
    : null;
  if (residual && attended) return tf.add(residual, attended);
  return residual ?? attended ?? x;
}

/** The soft count is made of the similarity logits. */
const countsSoftly = (teacher: AttentionTeacherConfig) => teacher.softCount && teacher.similarityStart > 0;

/** log(1 + Σ_j exp(bias_cj - g)) over real behaviours: [request, candidate]. */
const softCount = (bias: AttentionBias, mask: tf.Tensor2D, parameters: Parameters): tf.Tensor2D =>
  tf.softplus(tf.sub(biasLogSum(bias, mask), tf.exp(parameters.log_similarity!)));
