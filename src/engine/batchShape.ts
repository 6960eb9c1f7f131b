/**
 * The shape of a batch: what its graph depends on. Batches follow one another by the thousand in one shape, which is told without going
 * through what the graph of each would read.
 */
import type { FeedBatch } from './gradients.js';
import type { TensorSpec } from './trace/index.js';

export interface BatchShape {
  readonly rows: number;
  readonly tensors: readonly (readonly [name: string, spec: TensorSpec])[];
}

export const shapeOf = ({ rowIds, tensors }: FeedBatch): BatchShape => ({
  rows: rowIds.length,
  tensors: Object.entries(tensors).map(([name, { spec }]) => [name, spec] as const),
});

/** Whether a batch is seen to be of this shape at once, as those are that share its specs: all of a shape that a thread makes. */
export const isOfShape = ({ rowIds, tensors }: FeedBatch, shape: BatchShape): boolean =>
  rowIds.length === shape.rows &&
  Object.keys(tensors).length === shape.tensors.length &&
  shape.tensors.every(([name, spec]) => tensors[name]?.spec === spec);
