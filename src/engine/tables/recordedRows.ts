/**
 * Embedding rows inside a step's graph, for tables that lie in a device's memory: what driftingRows.ts does in host memory, recorded.
 * The graph is fed the ids of the batch's rows and what these rows have missed; it looks the rows up with their slots, makes up for
 * the steps that they have missed, moves them, and puts them back in their places.
 *
 * A table has one row more than it has ids, the last: padded ids point to it, so that all ids that name a real row are distinct. It is
 * 0 and stays 0, whatever else its slots start with.
 */
import { tf } from '../tf.js';
import { internal } from '../../errors.js';
import type { Optimizer } from '../optim/optimizer.js';

/** The input that names the batch's rows: int32 [row]. */
export const idsInput = 'row_ids';

/** The input that says what a model's rows have missed, [row, 2 + slots]: kept, moved, what is kept of each slot (optimizer.ts). */
export const missedInput = (model: string) => `missed:${model}`;

/** The inputs that hold a model's table and its slots; `new:` in front of it is the output. */
export const tableInput = (model: string, slot?: number) =>
  slot === undefined ? `table:${model}` : `table:${model}:${slot}`;

/** Rows of a table with their slots. */
export interface Rows {
  readonly parameter: tf.Tensor;
  readonly slots: readonly tf.Tensor[];
}

type Inputs = Readonly<Record<string, tf.Tensor>>;

/** The batch's rows of a table that steps do not move. */
export const lookUpRows = (model: string, inputs: Inputs): tf.Tensor =>
  tf.gather(inputOf(inputs, tableInput(model)), inputOf(inputs, idsInput));

/** The batch's rows of a table in training, as they are after the step before. */
export function lookUpTrainedRows(optimizer: Optimizer, model: string, inputs: Inputs): Rows {
  const ids = inputOf(inputs, idsInput);
  const parameter = lookUpRows(model, inputs);
  const slots = optimizer.slots.map((_, i) => tf.gather(inputOf(inputs, tableInput(model, i)), ids));
  if (!optimizer.drift) return { parameter, slots };
  const missed = inputOf(inputs, missedInput(model));
  const column = (at: number) => tf.slice(missed, [0, at], [missed.shape[0], 1]);
  const moved = tf.mul(optimizer.drift.recordDirection(slots), column(1));
  return {
    parameter: tf.sub(tf.mul(parameter, column(0)), moved),
    slots: slots.map((slot, i) => tf.mul(slot, column(2 + i))),
  };
}

/**
 * The outputs that put moved rows in their places. Where `finite` is false, all of them go to the row for padding, so that the table is
 * the one before the step.
 */
export function putRows(
  model: string,
  inputs: Inputs,
  moved: Rows,
  finite: tf.Tensor,
): Record<string, tf.Tensor> {
  const ids = inputOf(inputs, idsInput);
  const kept = tf.cast(finite, 'int32');
  const padding = tf.scalar(inputOf(inputs, tableInput(model)).shape[0] - 1, 'int32');
  // In numbers and not by `where`, which WebGPU leaves to the processor where its condition is to be spread.
  const targets = tf.add(tf.mul(ids, kept), tf.mul(padding, tf.sub(tf.scalar(1, 'int32'), kept)));
  const places = tf.reshape(targets, [ids.size, 1]);
  const put = (name: string, rows: tf.Tensor) =>
    [`new:${name}`, tf.tensorScatterUpdate(inputOf(inputs, name), places, rows)] as const;
  return Object.fromEntries([
    put(tableInput(model), moved.parameter),
    ...moved.slots.map((slot, i) => put(tableInput(model, i), slot)),
  ]);
}

const inputOf = (inputs: Inputs, name: string): tf.Tensor => inputs[name] ?? internal(`no input ${name}`);
