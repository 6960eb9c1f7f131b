/**
 * The three sides of everything that can pre-rank (design.md, section 3). `score` cannot see the sequence: its types hold only what
 * the two sides left behind (Law 5).
 *
 *   userSide(user, context, sequence, parameters) -> UserState     once per request
 *   itemSide(item, parameters)                    -> ItemState     offline, once per item and model version
 *   score(userState, itemState, parameters)       -> [request, candidate]
 */
import type { tf } from '../engine/tf.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import type { ItemInput, RequestInputs, SequenceInput } from '../layers/inputs.js';

declare const side: unique symbol;

/** Named tensors, leading axis [request]. */
export type UserState = Readonly<Record<string, tf.Tensor>> & { readonly [side]?: 'user' };
/** Named tensors, leading axes [item] offline and [request, candidate] where candidates are scored. */
export type ItemState = Readonly<Record<string, tf.Tensor>> & { readonly [side]?: 'item' };

/** What training gives a model beside its inputs. */
export interface TrainingGuide {
  /** The teacher's vector for each candidate, a constant: [request, candidate, width]. */
  readonly teacherVector?: tf.Tensor3D;
  /** [request, candidate], 1 = real. */
  readonly mask: tf.Tensor2D;
}

/** Scores and the loss terms that belong to the model itself. */
export interface TrainedScore {
  /** [request, candidate] */
  readonly logits: tf.Tensor2D;
  /** Scalars by name: alignment, reconstruction, … */
  readonly terms: Readonly<Record<string, tf.Scalar>>;
  /** What may be drawn to the teacher's vector: [request, candidate, width]. */
  readonly vector?: tf.Tensor3D;
}

export interface PreRanker {
  /** First values of the dense parameters. */
  initial(stream: RandomStream): Initial;
  userSide(
    user: tf.Tensor2D,
    context: tf.Tensor2D,
    sequence: SequenceInput,
    parameters: Parameters,
  ): UserState;
  itemSide(item: ItemInput, parameters: Parameters): ItemState;
  score(user: UserState, item: ItemState, parameters: Parameters): tf.Tensor2D;
  /**
   * Only where training needs more than the three sides give: straight-through queries, terms of its own. Its logits must equal
   * those of the three sides (parity is tested).
   */
  trainScore?(inputs: RequestInputs, parameters: Parameters, guide: TrainingGuide): TrainedScore;
  /** Only where attention is approximated: that term alone, as it is scored and as exact attention with the same parameters would. */
  attentionTerm?(inputs: RequestInputs, parameters: Parameters): AttentionTerm;
}

/** Each [request, candidate]. */
interface AttentionTerm {
  readonly approximate: tf.Tensor2D;
  readonly exact: tf.Tensor2D;
}

/** Scores the candidates of a block by the three sides. */
export function scoreBlock(model: PreRanker, inputs: RequestInputs, parameters: Parameters): tf.Tensor2D {
  const user = model.userSide(inputs.user, inputs.context, inputs.sequence, parameters);
  return model.score(user, model.itemSide(inputs.item, parameters), parameters);
}

/** Scores for training: by `trainScore` where the model has one. */
export function trainBlock(
  model: PreRanker,
  inputs: RequestInputs,
  parameters: Parameters,
  guide: TrainingGuide,
): TrainedScore {
  if (model.trainScore) return model.trainScore(inputs, parameters, guide);
  return { logits: scoreBlock(model, inputs, parameters), terms: {} };
}

/** Parameters whose name starts with `part/`, without it. */
export function parametersOf(parameters: Parameters, part: string): Parameters {
  const prefix = `${part}/`;
  return Object.fromEntries(
    Object.entries(parameters).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    ),
  );
}
