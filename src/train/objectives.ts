/**
 * What a training minimises: loss terms of blocks and models put together, every term under its own name. Losses know no model and
 * models no loss; here they meet.
 */
import { tf } from '../engine/tf.js';
import type { LossWeights } from '../config/lossWeights.js';
import type { InputLayout } from '../data/inputLayout.js';
import type { SetName } from '../data/encodedData.js';
import type { ForwardFunction } from '../engine/forward.js';
import type { BatchTensors, LossFunction, LossTerms, TracedModels } from '../engine/gradients.js';
import { stopGradient } from '../engine/autodiff.js';
import { scheduleShare } from '../engine/optim/schedule.js';
import { overWorkers } from '../engine/workers/wholeBatch.js';
import { codedBy, dimensions, embedBlock, embedItems, type RequestInputs } from '../layers/inputs.js';
import { autoencoderLoss, type AutoencoderOptions } from '../losses/autoencoder.js';
import { clickLoss } from '../losses/click.js';
import { tutorLoss } from '../losses/tutor.js';
import type { ItemAutoencoder } from '../models/itemAutoencoder.js';
import { parametersOf, scoreBlock, trainBlock, type PreRanker } from '../models/preRanker.js';
import type { Ranker } from '../models/ranker.js';
import type { FitPlan } from './fitPlan.js';

type Terms = Record<string, LossTerms[string]>;

/** Name of the trained model in the traced functions of a pre-ranker, and of the teacher beside it. */
export const roles = { model: 'model', teacher: 'teacher' } as const;

export interface PreRankerObjective {
  readonly model: PreRanker;
  readonly layout: InputLayout;
  readonly losses: LossWeights;
  /** Whether the batches hold a block of set B. */
  readonly usesB: boolean;
  /** The teacher inside the step, for a student that takes its vectors; `joint` trains it on with its own click loss. */
  readonly teacher?: { readonly ranker: Ranker; readonly joint: boolean };
}

/** Name in a batch of the share of the weights of alignment and reconstruction; without it they are whole. */
const vectorShare = 'losses/vector_share';

/** That share over a training, where it changes. */
export function vectorLossShare({ vectorSchedule }: LossWeights): Pick<FitPlan, 'scalars'> {
  if (vectorSchedule.kind === 'constant' && vectorSchedule.warmUpSteps === 0) return {};
  return { scalars: (step, steps) => ({ [vectorShare]: scheduleShare(vectorSchedule, step, steps) }) };
}

/** Loss of the two-tower, its rivals and the students: the same data and the same click and tutor losses for each. */
export function preRankerLoss(objective: PreRankerObjective): LossFunction {
  const { losses } = objective;
  return (models, batch) => {
    const terms: Terms = {};
    addBlock(objective, 'a', models, batch, terms, losses.clickA);
    if (objective.usesB) addBlock(objective, 'b', models, batch, terms, losses.clickB);
    return terms;
  };
}

function addBlock(
  { model, layout, losses, teacher }: PreRankerObjective,
  set: SetName,
  models: TracedModels,
  batch: BatchTensors,
  terms: Terms,
  clickWeight: number,
): void {
  const { parameters, rows } = models[roles.model]!;
  const inputs = embedBlock(layout, rows, batch, set);
  const taught = teacher && rankBlock(teacher.ranker, layout, models, batch, set);
  const guide = { mask: inputs.mask, ...(taught && { teacherVector: taught.vector }) };
  const { logits, terms: own } = trainBlock(model, inputs, parameters, guide);

  terms[`click_${set}`] = { value: blockClickLoss(logits, batch, set, inputs), weight: clickWeight };
  const { alignment, reconstruction, autoencoder } = losses;
  const weights: Readonly<Record<string, number>> = { alignment, reconstruction, autoencoder };
  const share = batch[vectorShare] as tf.Scalar | undefined;
  for (const [name, value] of Object.entries(own)) {
    const weight = weights[name] ?? 1;
    const isScheduled = share && (name === 'alignment' || name === 'reconstruction');
    if (weight !== 0)
      terms[`${name}_${set}`] = { value, weight: isScheduled ? tf.mul(share, weight) : weight };
  }
  if (teacher?.joint && taught) {
    terms[`teacher_click_${set}`] = {
      value: blockClickLoss(taught.logits, batch, set, inputs),
      weight: clickWeight,
    };
  }
  if (set === 'b' && losses.tutor > 0) {
    const topMask = tf.cast<tf.Tensor2D>(tf.lessEqual(batch['b/teacher_rank']!, losses.tutorTop), 'float32');
    const value = tutorLoss(
      {
        logits,
        teacher: batch['b/teacher'] as tf.Tensor2D,
        topMask,
        weights: batch['b/weight'] as tf.Tensor2D,
        mask: batch['b/teacher_mask'] as tf.Tensor2D,
      },
      { alpha: losses.tutorAlpha, on: losses.tutorOn },
    );
    terms.tutor = { value, weight: losses.tutor };
  }
}

/** Two towers on clicks, and the autoencoder without its quantizer on the embeddings as they form (codebook pre-training). */
export function warmUpLoss(
  towers: PreRanker,
  autoencoder: ItemAutoencoder,
  part: string,
  layout: InputLayout,
): LossFunction {
  return (models, batch) => {
    const { parameters, rows } = models[roles.model]!;
    const inputs = embedBlock(layout, rows, batch, 'a');
    const own = parametersOf(parameters, part);
    const input = stopGradient(
      autoencoder.input(tf.reshape(codedBy.item(inputs.item), [-1, dimensions(layout).coded])),
    );
    const error = tf.sub(autoencoder.decode(autoencoder.encode(input, own), own), input);
    const mask = tf.reshape(inputs.mask, [-1, 1]);
    const counted = overWorkers(tf.sum(mask));
    return {
      click_a: {
        value: blockClickLoss(scoreBlock(towers, inputs, parameters), batch, 'a', inputs),
        weight: 1,
      },
      autoencoder: { value: tf.div(tf.sum(tf.mul(tf.square(error), mask)), counted), weight: 1 },
    };
  };
}

/** Name in a batch of items of how many levels each of them uses, where levels are dropped. */
export const keptLevelsInput = 'items/kept_levels';

/** RQ-VAE loss over a batch of items alone, on embeddings that rest. `count`: real items of the batch, which come first. */
export function rqVaeLoss(
  autoencoder: ItemAutoencoder,
  part: string,
  layout: InputLayout,
  options: AutoencoderOptions,
  count: number,
): LossFunction {
  return (models, batch) => {
    const { parameters, rows } = models[roles.model]!;
    const own = parametersOf(parameters, part);
    const items = tf.slice(codedBy.item(embedItems(layout, rows, batch)), [0, 0], [count, -1]) as tf.Tensor2D;
    const input = stopGradient(autoencoder.input(items));
    const latent = autoencoder.encode(input, own);
    const quantised = autoencoder.quantise(latent, own, 'configured');
    const decode = (x: tf.Tensor2D) => autoencoder.decode(x, own);
    const kept = batch[keptLevelsInput] as tf.Tensor1D | undefined;
    const value = autoencoderLoss(
      input,
      latent,
      quantised,
      decode,
      { ...options, ...(kept && { kept }) },
      tf.ones([count]),
    );
    return { autoencoder: { value, weight: 1 } };
  };
}

/** Click loss of the teacher on one set (RankFlow's warm-up on A and self-learning on B). */
export function rankerLoss(ranker: Ranker, layout: InputLayout, set: SetName): LossFunction {
  return (models, batch) => {
    const { parameters, rows } = models[roles.teacher]!;
    const inputs = embedBlock(layout, rows, batch, set);
    const { logits } = ranker.rank(inputs, parameters);
    return { [`click_${set}`]: { value: blockClickLoss(logits, batch, set, inputs), weight: 1 } };
  };
}

function blockClickLoss(
  logits: tf.Tensor2D,
  batch: BatchTensors,
  set: SetName,
  { mask }: RequestInputs,
): tf.Scalar {
  return clickLoss(logits, batch[`${set}/label`] as tf.Tensor2D, batch[`${set}/weight`] as tf.Tensor2D, mask);
}

function rankBlock(
  ranker: Ranker,
  layout: InputLayout,
  models: TracedModels,
  batch: BatchTensors,
  set: SetName,
) {
  const { parameters, rows } = models[roles.teacher]!;
  return ranker.rank(embedBlock(layout, rows, batch, set), parameters);
}

/** Forward of a pre-ranker by its three sides: `logits` [request, candidate]. */
export function preRankerScores(model: PreRanker, layout: InputLayout, set: SetName): ForwardFunction {
  return (models, batch) => {
    const { parameters, rows } = models[roles.model]!;
    return { logits: scoreBlock(model, embedBlock(layout, rows, batch, set), parameters) };
  };
}

/** Forward of the teacher: `logits` [request, candidate] and `vector` [request, candidate, width]. */
export function rankerScores(ranker: Ranker, layout: InputLayout, set: SetName): ForwardFunction {
  return (models, batch) => ({ ...rankBlock(ranker, layout, models, batch, set) });
}
