/** The thread of batchThread.ts: makes batches of the rows that it was told of, one at a time, as they are asked for. */
import { workerData } from 'node:worker_threads';
import { EncodedData } from '../../data/encodedData.js';
import { CascadeError, internal } from '../../errors.js';
import type { Answered, Asked, ThreadStart } from './batchThread.js';
import { packBatch } from './packedBatch.js';
import { scoringBatches, type LocatedBatch, type ScoringBatch } from './scoringBatches.js';
import { trainingBatches, type TrainingBatch } from './trainingBatches.js';

const { opened, port } = workerData as ThreadStart; // what BatchThread starts it with
const data = new EncodedData(opened);
const rows = new Map<number, Iterator<TrainingBatch | ScoringBatch, void>>();

port.on('message', (asked: Asked) => {
  const { row } = asked;
  if ('training' in asked) rows.set(row, trainingBatches(data, asked.training));
  else if ('scoring' in asked) rows.set(row, withoutPlaces(scoringBatches(data, asked.scoring)));
  else if ('close' in asked) rows.delete(row);
  else for (let made = 0; made < asked.next && answer(row); made++);
});

/** Where requests lie is not told. */
function* withoutPlaces(batches: Generator<LocatedBatch, void>): Generator<ScoringBatch, void> {
  for (const { batch, requests, before } of batches) yield { batch, requests, before };
}

/** Answers with the next batch of a row; whether there may be another. */
function answer(row: number): boolean {
  try {
    const next = rows.get(row)?.next() ?? internal(`no row ${row}`);
    if (next.done) {
      tell({ row, done: true });
      return false;
    }
    const { batch, ...value } = next.value;
    tell({ row, value, packed: batch && packBatch(batch) });
    return true;
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    tell({ row, failed: { error, ...(error instanceof CascadeError && { problems: error.problems }) } });
    return false;
  }
}

/** The buffer of a batch goes over to the other side. */
function tell(answered: Answered): void {
  port.postMessage(answered, 'packed' in answered && answered.packed ? [answered.packed.bytes] : []);
}
