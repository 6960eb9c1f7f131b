/** Scores of a model for every candidate of a split, in the order of the files. */
import { internal } from '../errors.js';
import type { BlockShape } from '../data/batches.js';
import type { EncodedData, SetName } from '../data/encodedData.js';
import type { Split } from '../data/shards.js';
import type { TensorData } from '../engine/compile.js';
import type { FeedBatch } from '../engine/gradients.js';
import { oneWorker } from '../engine/workers/workers.js';
import type { ScoringBatch, ScoringOrder } from './batches/scoringBatches.js';

/** Candidates of a split as flat arrays: what metrics are computed on. */
export interface ScoredSplit {
  readonly requests: number;
  readonly requestId: BigInt64Array; // [request]
  readonly user: Int32Array; // [request] index into users.arrow
  readonly offsets: Int32Array; // [request + 1]
  readonly item: Int32Array; // [candidate] index into items.arrow
  readonly label: Uint8Array; // [candidate]
  readonly weight: Float32Array; // [candidate]
}

/** The candidates of a split without scores. */
export function openSplit(data: EncodedData, set: SetName, split: Split): ScoredSplit {
  const entries = data.shards(set, split);
  const requests = entries.reduce((sum, entry) => sum + entry.requests, 0);
  const candidates = entries.reduce((sum, entry) => sum + entry.candidates, 0);
  const result = {
    requests,
    requestId: new BigInt64Array(requests),
    user: new Int32Array(requests),
    offsets: new Int32Array(requests + 1),
    item: new Int32Array(candidates),
    label: new Uint8Array(candidates),
    weight: new Float32Array(candidates),
  };
  let request = 0;
  let candidate = 0;
  for (const entry of entries) {
    const shard = data.shard(entry);
    result.requestId.set(shard.requestId, request);
    result.user.set(shard.user, request);
    for (let r = 0; r < shard.requests; r++)
      result.offsets[request + r + 1] = candidate + shard.offsets[r + 1]!;
    result.item.set(shard.items, candidate);
    result.label.set(shard.label, candidate);
    result.weight.set(shard.weight, candidate);
    request += shard.requests;
    candidate += shard.items.length;
    data.letGo({ set, split });
  }
  return result;
}

/** Labels of a split's candidates, in the order of the files. */
export function splitLabels(data: EncodedData, set: SetName, split: Split): Uint8Array {
  const entries = data.shards(set, split);
  const labels = new Uint8Array(entries.reduce((sum, { candidates }) => sum + candidates, 0));
  let at = 0;
  for (const entry of entries) {
    const { label } = data.shard(entry);
    labels.set(label, at);
    at += label.length;
    data.letGo({ set, split });
  }
  return labels;
}

/** Scores of a split's candidates in the order of the files, filled batch by batch. */
export function candidateScores(data: EncodedData, set: SetName, split: Split) {
  const values = new Float32Array(data.shards(set, split).reduce((sum, entry) => sum + entry.candidates, 0));
  return {
    values,
    /** Sets those of the first `requests` requests of a [request, candidate] block, from the candidate `at` on; padding is left out. */
    set(
      at: number,
      logits: TensorData,
      requests: number,
      { candidates }: BlockShape,
      batch: FeedBatch,
    ): void {
      const mask = batch.tensors[`${set}/candidate_mask`]!.data;
      for (let i = 0; i < requests * candidates; i++) if (mask[i]) values[at++] = logits[i]!;
    },
  };
}

/**
 * One number per candidate of a split from the `logits` of a forward, [request, candidate]. `batches`: those of the split; workers have
 * each their part.
 */
export async function scoreSplit(
  data: EncodedData,
  { shape, split }: Pick<ScoringOrder, 'shape' | 'split'>,
  batches: AsyncIterable<ScoringBatch>,
  run: (batch: FeedBatch) => Promise<Record<string, TensorData>>,
  workers = oneWorker,
): Promise<Float32Array> {
  const scores = candidateScores(data, shape.set, split);
  for await (const { batch, requests, before } of batches) {
    const { logits } = await run(batch);
    scores.set(before, logits ?? internal('the forward has no output logits'), requests, shape, batch);
    batch.giveBack?.();
  }
  await workers.sum(scores.values); // 0 where another worker scored
  return scores.values;
}
