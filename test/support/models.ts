/** Models on the small test data, and their functions run eagerly by tfjs on the CPU: the other side of every differential test. */
import { tf } from '../../src/engine/tf.js';
import { BatchAssembler, type BatchNeeds, type BlockShape } from '../../src/data/batches.js';
import type { EncodedData, SetName } from '../../src/data/encodedData.js';
import type { Split } from '../../src/data/shards.js';
import type { TensorData } from '../../src/engine/compile.js';
import { MemoryTable, type EmbeddingTable } from '../../src/engine/tables/embeddings.js';
import { RandomStream } from '../../src/engine/random.js';
import { modelState, type Initial, type ModelState } from '../../src/engine/state.js';
import type { BatchTensors, FeedBatch, TracedModels } from '../../src/engine/gradients.js';
import type { TensorSpec } from '../../src/engine/trace/index.js';

export const cpu = { provider: 'cpu', threads: 1 } as const;

/** A state with normal embeddings of a size at which everything matters, and non-zero values where models start at zero. */
export function stateOf(data: EncodedData, initial: Initial, seed = 3): ModelState {
  const stream = RandomStream.of(seed, 'test state');
  const { rows, width } = data.layout;
  const state = modelState(initial, MemoryTable.random(rows, width, 0.5, stream));
  state.vector.forEach((value, i) => (state.vector[i] = value + 0.05 * stream.normal()));
  return state;
}

/** All rows of a table, [row · width]. */
export function valuesOf(table: EmbeddingTable): Float32Array {
  const values = new Float32Array(table.rows * table.width);
  table.gather(
    Int32Array.from({ length: table.rows }, (_, row) => row),
    table.rows,
    values,
  );
  return values;
}

/** The first requests of a split as a batch. */
export function firstBatch(
  data: EncodedData,
  needs: BatchNeeds,
  shapes: readonly (BlockShape & { split?: Split })[],
  teacher = false,
): FeedBatch {
  const assembler = new BatchAssembler(data, needs);
  return assembler.assemble(
    shapes.map((shape) => {
      const entries = data.shards(shape.set, shape.split ?? 'train');
      const requests = Math.min(shape.requests, entries[0]!.requests);
      const refs = Array.from({ length: requests }, (_, row) => ({ shard: 0, row }));
      const scores = (count: number) => {
        const logit = RandomStream.of(9, 'teacher').normals(count);
        return { logit, rank: Int32Array.from(logit, (_, i) => 1 + (i % 4)) };
      };
      return {
        shape,
        entries,
        refs,
        ...(teacher && shape.set === 'b' && { teacher: (entry) => scores(entry.candidates) }),
      };
    }),
  );
}

export const blockOf = (data: EncodedData, set: SetName, requests: number): BlockShape => ({
  set,
  requests,
  candidates: data.maxCandidates(set),
});

/** The tensors that a traced function would get, with numbers in them. */
export function eagerInputs(
  states: Readonly<Record<string, ModelState>>,
  batch: FeedBatch,
): { models: TracedModels; tensors: BatchTensors; inputs: BatchTensors } {
  const models: Record<string, TracedModels[string]> = {};
  const inputs: Record<string, tf.Tensor> = {};
  for (const [name, { layout, vector, table }] of Object.entries(states)) {
    const rows = new Float32Array(batch.rowIds.length * table.width);
    table.gather(batch.rowIds, batch.rowIds.length, rows);
    inputs[`vector:${name}`] = tf.tensor1d(vector);
    inputs[`rows:${name}`] = tf.tensor2d(rows, [batch.rowIds.length, table.width]);
    models[name] = {
      parameters: layout.unpack(inputs[`vector:${name}`]!),
      rows: inputs[`rows:${name}`] as tf.Tensor2D,
    };
  }
  const tensors: Record<string, tf.Tensor> = {};
  for (const [name, { spec, data }] of Object.entries(batch.tensors)) {
    tensors[name] = eagerTensor(data, spec);
    inputs[`batch:${name}`] = tensors[name];
  }
  return { models, tensors, inputs };
}

const eagerTensor = (data: TensorData, spec: TensorSpec) => tf.tensor(data, [...spec.shape], spec.dtype);

/** Largest difference relative to the largest expected value; values below `floor` are all alike, such as a gradient that is 0. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-3): number {
  let worst = 0;
  let scale = floor;
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(Number(actual[i]) - Number(expected[i])));
    scale = Math.max(scale, Math.abs(Number(expected[i])));
  }
  return worst / scale;
}
