/**
 * The order in which an epoch visits the requests of a split: shards in random order, a few of them at a time shuffled together. A
 * position is the number of requests already visited, so that training can go on in the middle of an epoch without reading what it
 * has passed.
 */
import { RandomStream } from '../engine/random.js';
import type { ShardEntry } from './shards.js';

/** Shards that are shuffled together; they are in memory at the same time, and no others of their set. */
export const shardsPerWindow = 4;

/** One request: a row of a shard. */
export interface RequestRef {
  readonly shard: number;
  readonly row: number;
}

/**
 * References to the requests of one epoch from `position` on, in windows. `shuffle` names the random stream; without it the order
 * is that of the files.
 */
export function* epochWindows(
  shards: readonly ShardEntry[],
  position: number,
  shuffle?: { readonly seed: number; readonly name: string; readonly epoch: number },
): Generator<readonly RequestRef[]> {
  const stream = shuffle && RandomStream.of(shuffle.seed, `${shuffle.name}/epoch ${shuffle.epoch}`);
  const order = stream ? stream.permutation(shards.length) : Int32Array.from(shards.keys());
  let passed = 0;
  for (let start = 0; start < order.length; start += shardsPerWindow) {
    const window = order.subarray(start, start + shardsPerWindow);
    const refs: RequestRef[] = [];
    for (const shard of window)
      for (let row = 0; row < shards[shard]!.requests; row++) refs.push({ shard, row });
    // Drawn even when the window is skipped: the stream must not depend on where training goes on.
    const shuffled = stream ? Array.from(stream.permutation(refs.length), (i) => refs[i]!) : refs;
    const skip = Math.max(0, position - passed);
    passed += refs.length;
    if (skip < refs.length) yield skip === 0 ? shuffled : shuffled.slice(skip);
  }
}
