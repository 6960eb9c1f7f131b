import { tf } from '../engine/tf.js';
import type { TowersConfig } from '../config/config.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import { attentionInitial, multiHeadAttention } from '../layers/attention.js';
import type { Dimensions, SequenceInput } from '../layers/inputs.js';
import { mlp, mlpInitial } from '../layers/mlp.js';
import { dotWithEach, unit } from '../layers/normalize.js';
import { meanPool } from '../layers/pool.js';
import type { PreRanker } from './preRanker.js';

/** How the user tower reads the sequence: its mean, or attention as in TARQ's backbone. */
export type SequenceEncoder =
  | { readonly kind: 'mean_pool' }
  | { readonly kind: 'attention'; readonly width: number; readonly heads: number };

/** Log-odds of the base rate are the first bias, so that training does not start by learning the click rate. */
export interface TwoTowerOptions {
  readonly towers: TowersConfig;
  readonly dimensions: Dimensions;
  readonly sequence: SequenceEncoder;
  readonly baseLogit: number;
}

/**
 * Two towers (DSSM): a user vector once per request, an item vector offline, one scaled cosine per candidate.
 *   v_user = MLP([user ; context ; pool(sequence)])    v_item = MLP(item)    score = exp(log_scale) cos(v_user, v_item) + bias
 * user: [request, user]; sequence: [request, behaviour, shared]; item: [..., item]; vectors: [..., towers.width].
 * A bare cosine could not express a low click rate: hence scale and bias (cascade-losses-and-metrics.md, section 6).
 * Sources: Huang et al. 2013 (DSSM); TARQ's backbone is the `attention` encoder (tarq.md 1.4), the mean pool is the measured
 * better one (reference-experiments.md, section 2).
 */
export function twoTower({ towers, dimensions, sequence, baseLogit }: TwoTowerOptions): PreRanker {
  const pooled = sequence.kind === 'mean_pool' ? dimensions.shared : sequence.width;
  const userWidths = [dimensions.user + dimensions.context + pooled, ...towers.userHidden, towers.width];
  const itemWidths = [dimensions.item, ...towers.itemHidden, towers.width];
  return {
    initial: (stream) => ({
      ...sequenceInitial(sequence, dimensions, stream),
      ...mlpInitial('user', userWidths, stream),
      ...mlpInitial('item', itemWidths, stream),
      log_scale: { shape: [], values: Float32Array.of(Math.log(towers.scaleStart)) },
      bias: { shape: [], values: Float32Array.of(baseLogit) },
    }),
    userSide(user, context, behaviours, parameters) {
      const pool =
        dimensions.shared === 0 ? [] : [encodeSequence(sequence, user, context, behaviours, parameters)];
      const vector = mlp(parameters, 'user', userWidths.length - 1, tf.concat([user, context, ...pool], 1));
      return { vector: unit(vector) };
    },
    itemSide: (item, parameters) => ({
      vector: unit(mlp(parameters, 'item', itemWidths.length - 1, item.x)),
    }),
    score(user, item, parameters) {
      const cosine = dotWithEach(user.vector!, item.vector!);
      return tf.add<tf.Tensor2D>(tf.mul(cosine, tf.exp(parameters.log_scale!)), parameters.bias!);
    },
  };
}

function sequenceInitial(
  sequence: SequenceEncoder,
  { shared, user, context }: Dimensions,
  stream: RandomStream,
): Initial {
  if (sequence.kind === 'mean_pool') return {};
  const { width, heads } = sequence;
  return {
    ...attentionInitial('self_attention', { query: shared, key: shared, width, heads }, stream),
    ...attentionInitial('profile_attention', { query: user + context, key: width, width, heads }, stream),
  };
}

/** H = MHA(X, X, X); h = MHA([user ; context], H, H): [request, width]; or the mean of X. */
function encodeSequence(
  encoder: SequenceEncoder,
  user: tf.Tensor2D,
  context: tf.Tensor2D,
  { x, mask }: SequenceInput,
  parameters: Parameters,
): tf.Tensor2D {
  if (encoder.kind === 'mean_pool') return meanPool(x, mask);
  const encoded = multiHeadAttention(parameters, 'self_attention', encoder.heads, x, x, mask);
  const profile = tf.expandDims<tf.Tensor3D>(tf.concat([user, context], 1), 1);
  const attended = multiHeadAttention(parameters, 'profile_attention', encoder.heads, profile, encoded, mask);
  return tf.reshape(attended, [attended.shape[0], encoder.width]);
}
