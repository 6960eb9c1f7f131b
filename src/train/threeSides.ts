/**
 * Scores as serving computes them: item states once for the whole corpus, a user state per request, a score that sees nothing but the
 * two. The evaluation of every pre-ranker goes this way, so that what is measured is what would be served.
 */
import { BatchAssembler, shortestLists, type BlockShape } from '../data/batches.js';
import type { EncodedData } from '../data/encodedData.js';
import type { Split } from '../data/shards.js';
import type { TensorData } from '../engine/compile.js';
import type { Device } from '../engine/devices/device.js';
import { Forward } from '../engine/forward.js';
import { ReusedArrays } from '../engine/reusedArrays.js';
import type { ModelState } from '../engine/state.js';
import { withPrefix, type FeedBatch } from '../engine/gradients.js';
import { embedBlock, embedItems } from '../layers/inputs.js';
import type { NamedModel } from '../models/registry.js';
import { scoringBatches } from './batches/scoringBatches.js';
import { roles } from './objectives.js';
import { candidateScores } from './scoring.js';

/** States of all items by name: numbers per item, and how many. */
export type ItemStates = Readonly<
  Record<string, { readonly width: number; readonly values: Float32Array | Int32Array }>
>;

const itemsPerChunk = 1024;

/** The item side of a model over the whole corpus. */
export async function itemStates(
  data: EncodedData,
  { model, needs }: NamedModel,
  state: ModelState,
  device: Device,
): Promise<ItemStates> {
  const forward = new Forward(
    'item-side',
    (models, batch) => {
      const { parameters, rows } = models[roles.model]!;
      return model.itemSide(embedItems(data.layout, rows, batch), parameters);
    },
    device,
  );
  const assembler = new BatchAssembler(data, needs, shortestLists, 'until the next');
  const { count } = data.items;
  const states: Record<string, { width: number; values: Float32Array | Int32Array }> = {};
  for (let start = 0; start < count; start += itemsPerChunk) {
    const chunk = Array.from({ length: Math.min(itemsPerChunk, count - start) }, (_, i) => start + i);
    const batch = assembler.assembleItems(chunk);
    const height = (batch.tensors['items/slots'] ?? batch.tensors['items/numbers'])!.spec.shape[0]!;
    for (const [name, values] of Object.entries(await forward.over({ [roles.model]: state })(batch))) {
      const width = values.length / height;
      const make = values instanceof Int32Array ? Int32Array : Float32Array;
      states[name] ??= { width, values: new make(count * width) };
      states[name].values.set(values.subarray(0, chunk.length * width), start * width);
    }
  }
  await forward.release();
  return states;
}

/** A logit for every candidate of a split, in the order of the files. */
export async function scoreFromStates(
  data: EncodedData,
  { model, needs }: NamedModel,
  state: ModelState,
  items: ItemStates,
  shape: BlockShape,
  split: Split,
  device: Device,
): Promise<Float32Array> {
  const forward = new Forward(
    'score',
    (models, batch) => {
      const { parameters, rows } = models[roles.model]!;
      const { user, context, sequence } = embedBlock(data.layout, rows, batch, shape.set);
      const userState = model.userSide(user, context, sequence, parameters);
      return { logits: model.score(userState, withPrefix(batch, 'state:'), parameters) };
    },
    device,
  );
  const scores = candidateScores(data, shape.set, split);
  const arrays = new ReusedArrays();
  for (const { batch, refs, entries, before } of scoringBatches(
    data,
    { needs, shape, split },
    'until the next',
  )) {
    const { logits } = await forward.over({ [roles.model]: state })(
      withItemStates(
        batch,
        shape,
        items,
        (r) => {
          const { shard: at, row } = refs[r]!;
          const shard = data.shard(entries[at]!);
          return shard.items.subarray(shard.offsets[row], shard.offsets[row + 1]);
        },
        refs.length,
        arrays,
      ),
    );
    scores.set(before, logits!, refs.length, shape, batch);
  }
  await forward.release();
  return scores.values;
}

/** Adds the states of each candidate, [request, candidate, …]; padding has zeros. */
function withItemStates(
  batch: FeedBatch,
  { requests, candidates }: BlockShape,
  items: ItemStates,
  itemsOf: (request: number) => Int32Array,
  filled: number,
  arrays: ReusedArrays,
): FeedBatch {
  const tensors: Record<string, FeedBatch['tensors'][string]> = { ...batch.tensors };
  for (const [name, { width, values }] of Object.entries(items)) {
    const isInteger = values instanceof Int32Array;
    const length = requests * candidates * width;
    const data: TensorData = isInteger
      ? arrays.int(name, length).fill(0)
      : arrays.float(name, length).fill(0);
    for (let r = 0; r < filled; r++) {
      itemsOf(r).forEach((item, c) => {
        data.set(values.subarray(item * width, (item + 1) * width), (r * candidates + c) * width);
      });
    }
    tensors[`state:${name}`] = {
      spec: { shape: [requests, candidates, width], dtype: isInteger ? 'int32' : 'float32' },
      data,
    };
  }
  return { ...batch, tensors };
}
