/** One night's index of the simulated retrieval, and what it finds for a request. Items are numbered in the order of their ids. */
import { RandomStream } from '../engine/random.js';
import { retrievalChannels } from './tables.js';

export interface RetrievalSettings {
  /** Requests per list: 4 = every fourth, by an md5 draw. */
  readonly oneIn: number;
  /** Candidates of a list beside what was exposed. */
  readonly candidates: number;
  /** Share of them from the popularity channel. */
  readonly popularityShare: number;
}

export interface Catalogue {
  readonly ids: BigInt64Array; // [item]
  /** When an item can be found: from ≤ time < to, in UTC milliseconds. */
  readonly fromMs: Float64Array;
  readonly toMs: Float64Array;
}

export interface DayIndex {
  /** [item] events that count as popularity before the day, and their running sum. */
  readonly popularity: Float64Array;
  readonly popularitySum: Float64Array;
  /** Neighbours of item i: places neighbourStart[i] .. neighbourStart[i + 1]. */
  readonly neighbourStart: Int32Array;
  readonly neighbour: Int32Array;
  /** Times that the two co-occurred before the day. */
  readonly times: Float64Array;
}

export interface RetrievalRequest {
  readonly requestId: bigint;
  readonly atMs: number;
  readonly exposed: ReadonlySet<number>;
  /** Items of the user's last positive events before the day. */
  readonly triggers: readonly number[];
}

export interface Retrieved {
  readonly item: number;
  readonly channels: readonly number[];
  /** Place and score in the channel where its place is best. */
  readonly rank: number;
  readonly score: number;
}

/** A request's candidates; fewer than asked for only when the catalogue has no more that anything is known of. */
export function pickCandidates(
  request: RetrievalRequest,
  index: DayIndex,
  catalogue: Catalogue,
  settings: RetrievalSettings,
  seed: number,
): Retrieved[] {
  const canBeFound = (item: number) =>
    catalogue.fromMs[item]! <= request.atMs &&
    request.atMs < catalogue.toMs[item]! &&
    !request.exposed.has(item);
  const popular = Math.round(settings.candidates * settings.popularityShare);
  const near = coOccurring(request.triggers, index, canBeFound).slice(0, settings.candidates - popular);
  const random = RandomStream.of(seed, `retrieval/${request.requestId}`);
  const drawn = drawPopular(
    index,
    random,
    canBeFound,
    popular,
    settings.candidates,
    new Set(near.map(([item]) => item)),
  );

  const found = new Map<number, Retrieved>();
  const add = (channel: number, ranked: readonly (readonly [item: number, score: number])[]) => {
    ranked.forEach(([item, score], place) => {
      const before = found.get(item);
      const channels = [...(before?.channels ?? []), channel];
      const isBetter = before === undefined || place + 1 < before.rank;
      found.set(item, isBetter ? { item, channels, rank: place + 1, score } : { ...before, channels });
    });
  };
  add(retrievalChannels.popularity, drawn);
  add(retrievalChannels.co_occurrence, near);
  return [...found.values()];
}

type Scored = readonly [item: number, score: number];

const byScoreThenId = (a: Scored, b: Scored) => b[1] - a[1] || a[0] - b[0];

/** All neighbours of the triggers with their summed counts, best first. */
function coOccurring(
  triggers: readonly number[],
  index: DayIndex,
  canBeFound: (item: number) => boolean,
): Scored[] {
  const counts = new Map<number, number>();
  for (const trigger of triggers) {
    for (let i = index.neighbourStart[trigger]!; i < index.neighbourStart[trigger + 1]!; i++) {
      const item = index.neighbour[i]!;
      if (canBeFound(item)) counts.set(item, (counts.get(item) ?? 0) + index.times[i]!);
    }
  }
  return [...counts].sort(byScoreThenId);
}

/**
 * Draws in proportion to popularity until the channel has its share and the whole list is full, drawing again what cannot be had or
 * is there already: the same as drawing without replacement. The score is the item's share of all popularity.
 */
function drawPopular(
  index: DayIndex,
  random: RandomStream,
  canBeFound: (item: number) => boolean,
  share: number,
  listSize: number,
  others: ReadonlySet<number>,
): Scored[] {
  const items = index.popularitySum.length;
  const total = index.popularitySum[items - 1] ?? 0;
  const drawn = new Set<number>();
  let isNew = 0; // drawn and not in the list by another channel
  for (let tries = 0; total > 0 && tries < 100 * listSize; tries++) {
    if (drawn.size >= share && others.size + isNew >= listSize) break;
    const item = firstAbove(index.popularitySum, random.uniform() * total);
    if (drawn.has(item) || !canBeFound(item)) continue;
    drawn.add(item);
    if (!others.has(item)) isNew++;
  }
  return Array.from(drawn, (item): Scored => [item, index.popularity[item]! / total]).sort(byScoreThenId);
}

/** The first place whose running sum is above the target. */
function firstAbove(sums: Float64Array, target: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > target) high = middle;
    else low = middle + 1;
  }
  return low;
}
