/**
 * Set C: the teacher's score for every candidate of B, also those that nobody ranked, or only for those that a ranker of the logs
 * scored. `samples_c` is for people and tools; training reads the Arrow file beside each shard of B.
 */
import { writeFile } from 'node:fs/promises';
import { arrowBytes, ArrowFile } from '../data/arrow.js';
import type { TeacherScores } from '../data/batches.js';
import type { ShardEntry } from '../data/shards.js';

/** The file of a shard's teacher scores within the teacher's folder. */
export const teacherFile = (entry: ShardEntry) => `encoded/${entry.file}`;

export async function writeTeacherScores(
  path: string,
  offsets: Int32Array,
  scores: TeacherScores,
): Promise<void> {
  await writeFile(path, teacherScoresBytes(offsets, scores));
}

export function teacherScoresBytes(offsets: Int32Array, { logit, rank }: TeacherScores): Uint8Array {
  return arrowBytes(offsets.length - 1, {
    teacher_logit: { kind: 'list', values: logit, offsets },
    teacher_rank: { kind: 'list', values: rank, offsets },
  });
}

/** `offsets`: [request + 1] where each request's candidates begin. */
export function readTeacherScores(path: string): TeacherScores & { readonly offsets: Int32Array } {
  const file = new ArrowFile(path, 'own');
  return {
    offsets: file.offsets('teacher_logit'),
    logit: file.values('teacher_logit', Float32Array),
    rank: file.values('teacher_rank', Int32Array),
  };
}

/** The rank of a candidate without a score, whose logit is NaN. */
export const noRank = 0;

/**
 * Rank of each candidate among those of its request that have a score, by teacher logit: 1 = best, ties by item id ascending, so that
 * a rebuild gives the same ranks. offsets: [request + 1]; logit, item ids: [candidate].
 */
export function teacherRanks(offsets: Int32Array, logit: Float32Array, itemIds: BigInt64Array): Int32Array {
  const rank = new Int32Array(logit.length).fill(noRank);
  for (let request = 0; request + 1 < offsets.length; request++) {
    const from = offsets[request]!;
    const all = Array.from({ length: offsets[request + 1]! - from }, (_, i) => from + i);
    const order = all.filter((candidate) => !Number.isNaN(logit[candidate]));
    order.sort((a, b) => logit[b]! - logit[a]! || (itemIds[a]! < itemIds[b]! ? -1 : 1));
    order.forEach((candidate, place) => (rank[candidate] = place + 1));
  }
  return rank;
}
