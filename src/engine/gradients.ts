/**
 * Forward and backward of a step: what a loss is a function of, and the gradient of its weighted terms for each trained model. Used
 * by the compiled step (step.ts), by the search for a value that is not finite (nonFinite.ts) and, run eagerly, by tests.
 */
import { tf } from './tf.js';
import { internal } from '../errors.js';
import { valueAndGradients } from './autodiff.js';
import type { TensorData } from './compile.js';
import type { Device } from './devices/device.js';
import { arraysForLoops } from './loopMemory.js';
import { DriftingRows } from './tables/driftingRows.js';
import type { LearningRate, Optimizer } from './optim/optimizer.js';
import { MemoryRows, RestingRows, type RowStore } from './tables/rowStore.js';
import type { ModelState, Parameters } from './state.js';
import type { TensorSpec } from './trace/index.js';
import { recordShares, withSums } from './workers/wholeBatch.js';
import type { Workers } from './workers/workers.js';

/** What a graph is fed for one batch: arrays by name, and the embedding rows that they point into. */
export interface FeedBatch {
  /** Distinct rows of the embedding table; the arrays hold positions in this list. Padded to a length of a few sizes. */
  readonly rowIds: Int32Array;
  /** How many of `rowIds` are real. */
  readonly rowCount: number;
  readonly tensors: Readonly<Record<string, { readonly spec: TensorSpec; readonly data: TensorData }>>;
  /** Gives its arrays back to who made it, to be written again. Nobody may read them any more. */
  readonly giveBack?: () => void;
}

/** A model inside a traced function. */
export interface TracedModel {
  readonly parameters: Parameters;
  /** The batch's embedding rows, [row, width]. */
  readonly rows: tf.Tensor2D;
}

export type TracedModels = Readonly<Record<string, TracedModel>>;
export type BatchTensors = Readonly<Record<string, tf.Tensor>>;

/** The terms of a loss by name; the step minimises the sum of weight times value and reports each value. */
/** A weight that changes over the training is a scalar of the batch. */
export type LossTerms = Readonly<
  Record<string, { readonly value: tf.Scalar; readonly weight: number | tf.Scalar }>
>;

export type LossFunction = (models: TracedModels, batch: BatchTensors) => LossTerms;

/** A model that is trained: its state and the optimiser's arrays beside it. */
export interface TrainedModel {
  readonly state: ModelState;
  /** One array per optimiser slot, like `state.vector`. */
  readonly slots: Float32Array[];
  /** First value of each slot. */
  readonly slotStarts: readonly number[];
  /** The rows of the table with their slots. */
  readonly rows: DriftingRows;
}

/** First value of each of an optimiser's slots. */
export const slotStarts = ({ slots }: Optimizer): number[] => slots.map(({ initial }) => initial);

/**
 * A model to be trained, its rows in `store`; by default the state's own table, in memory. Table and vector are changed in place from then
 * on, and laid beside the optimiser's arrays for it.
 */
export function trainedModel(
  state: ModelState,
  optimizer: Optimizer,
  learningRate: LearningRate,
  store: RowStore = new MemoryRows(state.table, slotStarts(optimizer)),
): TrainedModel {
  const starts = slotStarts(optimizer);
  const [vector, ...slots] = arraysForLoops([0, ...starts].map(() => state.layout.size));
  vector!.set(state.vector);
  state.vector = vector!;
  return {
    state: store.table === state.table ? state : { ...state, table: store.table },
    slotStarts: starts,
    slots: slots.map((slot, i) => slot.fill(starts[i]!)),
    rows: new DriftingRows(store, optimizer, learningRate),
  };
}

/** A model whose dense parameters alone are trained. */
export const modelWithRestingRows = (
  state: ModelState,
  optimizer: Optimizer,
  learningRate: LearningRate,
): TrainedModel =>
  trainedModel(state, optimizer, learningRate, new RestingRows(state.table, slotStarts(optimizer)));

/** A trained model's state as it is after `step`, every embedding row made up for; a table in a file is so until the next step. */
export const settledState = ({ state, rows }: TrainedModel, step: number): ModelState => ({
  layout: state.layout,
  vector: state.vector.slice(),
  table: rows.settled(step),
});

export interface StepOptions {
  readonly name: string;
  readonly trained: Readonly<Record<string, TrainedModel>>;
  readonly frozen: Readonly<Record<string, ModelState>>;
  readonly loss: LossFunction;
  readonly optimizer: Optimizer;
  readonly learningRate: LearningRate;
  /** Largest norm of the gradient; 0 = no clipping. */
  readonly clipNorm: number;
  readonly device: Device;
  /**
   * Where the optimiser of the dense parameters runs: over the arrays in host memory (no moments in or out of the graph), or inside the
   * graph, which is the default on a device that can keep them. That of embedding rows runs where their tables lie.
   */
  readonly optimizerOn?: 'host' | 'graph';
  /**
   * Bytes that embedding tables with their slots may take of a device's memory: between steps they stay there, all of them or, where
   * they are larger, none. 0 where it is left out.
   */
  readonly deviceTableBytes?: number;
  /**
   * Steps that one run of the graph takes (severalSteps.ts), where the device keeps nothing between runs: what crosses the bus for the
   * state then crosses once for all of them. 1 where it is left out; workers meet after each step and take one at a time.
   */
  readonly stepsPerRun?: number;
  /** Those who share each step's batch; this process alone where they are left out. */
  readonly workers?: Workers;
  /** Folder for the batch of a step with a value that is not finite. */
  readonly saveTo: string;
  /** Passes that the step's graph does not go through; for tests and benches. */
  readonly withoutPasses?: readonly string[];
}

const batchInputs = new Map<string, string>();

/** The name under which a graph is fed a batch's tensor. Each is made once: a text that is new has to be hashed at every look-up. */
export function batchInput(tensor: string): string {
  let name = batchInputs.get(tensor);
  if (name === undefined) batchInputs.set(tensor, (name = `batch:${tensor}`));
  return name;
}

/** Inputs whose name starts with `prefix`, without it. */
export function withPrefix(tensors: BatchTensors, prefix: string): BatchTensors {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    ),
  );
}

/** Models as a loss is given them, and their leaves: what gradients are taken for. */
function recordModels(options: StepOptions, tensors: BatchTensors) {
  const input = (name: string) => tensors[name] ?? internal(`no input ${name}`);
  const names = Object.keys(options.trained);
  const unpacked = names.map((name) => {
    const { layout } = options.trained[name]!.state;
    const parameters = layout.unpack(input(`vector:${name}`));
    return {
      name,
      layout,
      leaves: layout.entries.map((entry) => parameters[entry.name]!),
      parameters,
      rows: input(`rows:${name}`),
    };
  });
  const models: Record<string, TracedModel> = {};
  for (const { name, parameters, rows } of unpacked) models[name] = { parameters, rows: rows as tf.Tensor2D };
  for (const [name, state] of Object.entries(options.frozen)) {
    models[name] = {
      parameters: state.layout.unpack(input(`vector:${name}`)),
      rows: input(`rows:${name}`) as tf.Tensor2D,
    };
  }
  return { unpacked, models };
}

/** The loss terms of this worker's part of the batch; with several workers its numbers are those of the whole batch. */
function recordLoss({ loss, workers }: StepOptions, models: TracedModels, tensors: BatchTensors): LossTerms {
  const terms = () => loss(models, withPrefix(tensors, 'batch:'));
  return workers && workers.size > 1 ? withSums(workers.size, tensors, terms) : terms();
}

/** What this worker adds to the numbers of the whole batch that the loss asks for. */
export function recordSharesOf(options: StepOptions, workers: Workers, tensors: BatchTensors) {
  const { models } = recordModels(options, tensors);
  return recordShares(workers.size, () => options.loss(models, withPrefix(tensors, 'batch:')));
}

/** Forward and backward: the loss terms, and the gradient of their weighted sum for each trained model. */
export function recordGradients(options: StepOptions, tensors: BatchTensors) {
  const { unpacked, models } = recordModels(options, tensors);
  let terms: LossTerms = {};
  const total = () => {
    terms = recordLoss(options, models, tensors);
    for (const term of Object.values(terms)) {
      for (const made of [term.value, term.weight]) if (made instanceof tf.Tensor) tf.keep(made); // eager backends dispose of what the gradient's scope made
    }
    const weighted = Object.values(terms).map(({ value, weight }) =>
      weight === 1 ? value : tf.mul(value, weight),
    );
    return weighted.reduce((sum, term) => tf.add(sum, term)) as tf.Scalar;
  };
  const { value, gradients } = valueAndGradients(
    total,
    unpacked.flatMap(({ leaves, rows }) => [...leaves, rows]),
  );
  let at = 0;
  const byModel = unpacked.map(({ name, layout, leaves }) => {
    const dense = gradients.slice(at, at + leaves.length);
    const rows = gradients[at + leaves.length]!;
    at += leaves.length + 1;
    return { name, layout, dense, rows };
  });
  return { loss: value, terms, byModel };
}
