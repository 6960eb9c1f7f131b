/**
 * Fitting a student's codes to items: the start, and refits by k-means while training moves the embeddings. What is clustered are the
 * different items of training: items that are coded by the same (new items of one category, whose shared features are all alike; items
 * without a vector of the user's) stand for one vector, of weight sqrt(how many), so that a crowd of unknown items does not take all
 * codes.
 * Source: tangent-codes.md section 4, item 2.
 */
import type { EncodedData } from '../data/encodedData.js';
import type { ItemVectors } from '../data/itemVectors.js';
import type { TrainedModel } from '../engine/gradients.js';
import type { RandomStream } from '../engine/random.js';
import type { ModelState } from '../engine/state.js';
import type { CodebookConfig } from '../config/config.js';
import { refitResidualKmeans, residualKmeans } from '../codebooks/kmeans.js';
import { randomCodes } from '../codebooks/randomCodes.js';
import { codebookName, type ItemCodes } from '../models/itemCodes.js';
import type { EncodedModel, ItemEncoder } from './itemEncoding.js';

/** Items that codes are fitted on, and what each counts. */
export interface ItemSample {
  readonly items: readonly number[];
  readonly weights?: Float64Array;
}

type ItemData = Pick<EncodedData, 'items' | 'transform' | 'layout' | 'vectors'>;

/** Items that training has shown, ascending: codes are fitted on them and given to all. */
export function trainingItems(data: EncodedData): number[] {
  const seen = new Uint8Array(data.items.count);
  for (const entry of data.shards('a', 'train')) {
    for (const item of data.shard(entry).items) seen[item] = 1;
    data.letGo();
  }
  return Array.from(seen.keys()).filter((item) => seen[item] === 1);
}

/** At most `limit` items, drawn without replacement. */
export function drawItems(items: readonly number[], limit: number, stream: RandomStream): readonly number[] {
  if (items.length <= limit) return items;
  return Array.from(stream.permutation(items.length).subarray(0, limit), (i) => items[i]!);
}

/** One item for each different thing that items are coded by, the first, with the square root of the number of items that have it. */
export function distinctItems(data: ItemData, items: readonly number[]): Required<ItemSample> {
  const codedBy = data.vectors ? vectorOf(data.vectors) : sharedSlotsOf(data);
  const groups = new Map<string, { first: number; count: number }>();
  for (const item of items) {
    const key = codedBy(item);
    const alike = groups.get(key);
    if (alike) alike.count++;
    else groups.set(key, { first: item, count: 1 });
  }
  const all = [...groups.values()];
  return {
    items: all.map(({ first }) => first),
    weights: Float64Array.from(all, ({ count }) => Math.sqrt(count)),
  };
}

const vectorOf =
  ({ width, values }: ItemVectors) =>
  (item: number) =>
    values.subarray(item * width, (item + 1) * width).join();

/** The tuple of an item's shared slots. */
function sharedSlotsOf({ items: { slots }, transform, layout }: ItemData): (item: number) => string {
  const perItem = transform.slots.items;
  const { shared, sharedFields, item: group } = layout;
  const places = sharedFields.flatMap(({ slot }, field) =>
    Array.from({ length: group.slots[shared[field]!]! }, (_, i) => slot + i),
  );
  return (item) => places.map((place) => slots[item * perItem + place]).join();
}

/** First codes, from the latents of a sample of items: by residual k-means, or at random with their scale. */
export async function startCodes(
  state: ModelState,
  coder: ItemCodes,
  encoder: ItemEncoder,
  { items, weights }: ItemSample,
  { start, kmeansIterations }: Pick<CodebookConfig, 'start' | 'kmeansIterations'>,
  stream: RandomStream,
): Promise<void> {
  const { width } = coder;
  const { latents } = await encoder.encode(items, { state });
  const sizes = { ...coder, iterations: kmeansIterations };
  const first = start === 'kmeans' ? residualKmeans : randomCodes;
  setCodebooks(state, coder, first(latents, width, sizes, stream, weights));
}

/** Moves the codes of a model in training after the latents: Lloyd's iterations from where the codes are. */
export async function refitCodes(
  model: TrainedModel,
  step: number,
  coder: ItemCodes,
  encoder: ItemEncoder,
  { items, weights }: ItemSample,
  iterations: number,
): Promise<void> {
  const { state } = model;
  const { latents, ...hints } = await encoder.encode(items, upToDate(model, step));
  const before = codebooksOf(state, coder);
  const centres = refitResidualKmeans(latents, coder.width, before, iterations, hints, weights);
  setCodebooks(state, coder, centres);
}

/** A model in training as items are encoded with it: its rows as they are after `step`. */
export const upToDate = ({ state, rows }: TrainedModel, step: number): EncodedModel => ({
  state,
  prepare: ({ rowIds, rowCount }) => {
    rows.bringUpTo(step, rowIds, rowCount);
  },
});

/** One [code, width] per level: views on the state. */
export const codebooksOf = (state: ModelState, { part, levels }: ItemCodes): Float32Array[] =>
  Array.from({ length: levels }, (_, level) =>
    state.layout.view(state.vector, `${part}/${codebookName(level)}`),
  );

function setCodebooks(state: ModelState, coder: ItemCodes, centres: readonly Float32Array[]): void {
  codebooksOf(state, coder).forEach((codebook, level) => {
    codebook.set(centres[level]!);
  });
}
