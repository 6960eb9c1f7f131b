/**
 * What a training step's graph reads and computes: forward, backward, the gradient's norm, and the optimiser where that is part of the
 * graph. Embedding rows are either fed, gathered by the host, and their gradients given back; or they are looked up in tables on the
 * device, moved, and put back (tables/recordedRows.ts).
 */
import { tf } from './tf.js';
import type { Specs } from './compiledGraph.js';
import {
  batchInput,
  recordGradients,
  withPrefix,
  type BatchTensors,
  type FeedBatch,
  type StepOptions,
} from './gradients.js';
import type { ModelState } from './state.js';
import { lookUpRows, lookUpTrainedRows, putRows, type Rows } from './tables/recordedRows.js';
import type { TensorSpec } from './trace/index.js';

/** Where a step's optimiser runs and its tables lie. */
export interface StepPlaces {
  /** The optimiser of the dense parameters runs over host memory. */
  readonly onHost: boolean;
  readonly tables: StepTables | null;
}

/** Tables that a step looks rows up in: whole ones on the device, or those of a run. */
export interface StepTables {
  /** Whether a model's rows are moved by the step. */
  moves(model: string): boolean;
  /** The inputs of a step on this batch in place of its gathered rows. */
  specs(batch: FeedBatch): Specs;
}

/** The inputs of a step on this batch. */
export function stepInputs(options: StepOptions, batch: FeedBatch, { onHost, tables }: StepPlaces): Specs {
  const specs: Record<string, TensorSpec> = {};
  const model = (key: string, { layout, table }: ModelState) => {
    specs[`vector:${key}`] = { shape: [layout.size], dtype: 'float32' };
    if (!tables) specs[`rows:${key}`] = { shape: [batch.rowIds.length, table.width], dtype: 'float32' };
  };
  for (const [name, { state, slots }] of Object.entries(options.trained)) {
    model(name, state);
    if (!onHost) slots.forEach((_, i) => (specs[`vector:${name}:${i}`] = specs[`vector:${name}`]!));
  }
  for (const [name, state] of Object.entries(options.frozen)) model(name, state);
  Object.assign(specs, tables?.specs(batch));
  for (const [name, { spec }] of Object.entries(batch.tensors)) specs[batchInput(name)] = spec;
  if (onHost) return specs;
  for (const name of Object.keys(options.optimizer.scalars(1, 1)))
    specs[`scalar:${name}`] = { shape: [], dtype: 'float32' };
  return specs;
}

export function recordStep(
  options: StepOptions,
  inputs: BatchTensors,
  { onHost, tables }: StepPlaces,
): Record<string, tf.Tensor> {
  const { optimizer, clipNorm } = options;
  const { rows, lookedUp } = tables ? lookUp(options, inputs, tables) : { rows: {}, lookedUp: {} };
  const tensors = { ...inputs, ...rows };
  const { loss, terms, byModel } = recordGradients(options, tensors);
  const gradients = byModel.map(({ layout, dense, rows: ofRows, name }) => ({
    name,
    dense: layout.pack(dense),
    rows: ofRows,
  }));
  const gradientNorm = tf.sqrt(
    squaredLength(gradients.flatMap((gradient) => [gradient.dense, gradient.rows])),
  );
  const outputs: Record<string, tf.Tensor> = { loss, gradient_norm: gradientNorm };
  for (const [name, { value, weight }] of Object.entries(terms)) {
    outputs[`term:${name}`] = value;
    if (weight !== 1) outputs[`weighted:${name}`] = tf.mul(value, weight);
  }
  const scalars = withPrefix(tensors, 'scalar:');
  const clip = (gradient: tf.Tensor) =>
    clipNorm === 0
      ? gradient
      : tf.mul(gradient, tf.minimum(tf.div(clipNorm, tf.add(gradientNorm, 1e-12)), 1));

  const state: tf.Tensor[] = [];
  for (const { name, dense } of gradients) {
    const key = `vector:${name}`;
    if (onHost) {
      outputs[`gradient:${key}`] = dense;
      state.push(tensors[key]!);
      continue;
    }
    const slots = optimizer.slots.map((_, i) => tensors[`${key}:${i}`]!);
    const next = optimizer.update(tensors[key]!, clip(dense), slots, scalars);
    outputs[`new:${key}`] = next.parameter;
    next.slots.forEach((slot, i) => (outputs[`new:${key}:${i}`] = slot));
    state.push(next.parameter);
  }
  const moved: Record<string, Rows> = {};
  for (const gradient of gradients) {
    const { name } = gradient;
    const present = lookedUp[name];
    if (!tables) outputs[`gradient:rows:${name}`] = gradient.rows;
    if (present)
      moved[name] = optimizer.update(present.parameter, clip(gradient.rows), present.slots, scalars);
    state.push(moved[name]?.parameter ?? tensors[`rows:${name}`]!);
  }
  outputs.state_norm = squaredLength(state);
  if (!tables) return outputs;
  const finite = [loss, gradientNorm, outputs.state_norm]
    .map(isFiniteNumber)
    .reduce((all, one) => tf.logicalAnd(all, one));
  for (const [name, next] of Object.entries(moved))
    Object.assign(outputs, putRows(name, tensors, next, finite));
  return outputs;
}

/** The rows of all models, as they would be fed, and what becomes of those that are moved. */
function lookUp({ trained, frozen, optimizer }: StepOptions, inputs: BatchTensors, tables: StepTables) {
  const rows: Record<string, tf.Tensor> = {};
  const lookedUp: Record<string, Rows> = {};
  for (const name of Object.keys({ ...trained, ...frozen })) {
    if (tables.moves(name)) lookedUp[name] = lookUpTrainedRows(optimizer, name, inputs);
    rows[`rows:${name}`] = lookedUp[name]?.parameter ?? lookUpRows(name, inputs);
  }
  return { rows, lookedUp };
}

/** Squared length of all tensors as one vector: finite only where every number is. */
const squaredLength = (tensors: readonly tf.Tensor[]): tf.Tensor =>
  tensors.map((tensor) => tf.sum(tf.square(tensor))).reduce((sum, square) => tf.add(sum, square));

/** Just below the largest number of single precision. */
const largest = 3.4e38;
/** NaN is less than nothing. */
const isFiniteNumber = (x: tf.Tensor): tf.Tensor => tf.less(tf.abs(x), largest);
