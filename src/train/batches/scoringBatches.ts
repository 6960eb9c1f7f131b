/** Batches over a whole split in the order of its files, for validation and evaluation. */
import {
  BatchAssembler,
  shortestLists,
  type BatchNeeds,
  type BlockShape,
  type Lasting,
} from '../../data/batches.js';
import type { EncodedData } from '../../data/encodedData.js';
import { epochWindows, type RequestRef } from '../../data/requestOrder.js';
import type { ShardEntry, Split } from '../../data/shards.js';
import type { FeedBatch } from '../../engine/gradients.js';
import { oneWorker, type Place } from '../../engine/workers/workers.js';

/** What is scored. Plain values: a thread of its own may be told to make the batches. */
export interface ScoringOrder {
  readonly needs: BatchNeeds;
  readonly shape: BlockShape;
  readonly split: Split;
  /** Of several workers each gets every size-th batch; one alone where it is left out. */
  readonly place?: Place;
}

export interface ScoringBatch {
  readonly batch: FeedBatch;
  /** Requests in it; the rest of its block is masked. */
  readonly requests: number;
  /** Candidates of the split before this batch. */
  readonly before: number;
}

/** With the way to its requests, for those who read shards themselves. */
export interface LocatedBatch extends ScoringBatch {
  readonly refs: readonly RequestRef[];
  readonly entries: readonly ShardEntry[];
}

export function* scoringBatches(
  data: EncodedData,
  { needs, shape, split, place = oneWorker }: ScoringOrder,
  lasting: Lasting = 'own',
): Generator<LocatedBatch, void> {
  const assembler = new BatchAssembler(data, needs, shortestLists, lasting);
  const entries = data.shards(shape.set, split);
  let number = 0;
  let before = 0;
  for (const window of epochWindows(entries, 0)) {
    for (let at = 0; at < window.length; at += shape.requests) {
      const refs = window.slice(at, at + shape.requests);
      if (number++ % place.size === place.rank) {
        const batch = assembler.assemble([{ shape, entries, refs }]);
        yield { batch, requests: refs.length, before, refs, entries };
      }
      for (const { shard, row } of refs) {
        const { offsets } = data.shard(entries[shard]!);
        before += offsets[row + 1]! - offsets[row]!;
      }
    }
    data.letGo({ set: shape.set, split });
  }
}
