/**
 * The thread of batchThread.ts: makes batches of the rows that it was told of, a few of each ahead of those that are taken.
 *
 * While there are rows it looks for what was taken every few milliseconds, and is woken only by who waits for a batch. To be woken for
 * every few batches costs the thread that steps 4 % of a two-tower's training: on a processor with other work to do the one that wakes
 * often makes room for the one that is woken.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { EncodedData } from '../../data/encodedData.js';
import { CascadeError } from '../../errors.js';
import { keepYoungGeneration, returnGarbage } from '../../memory.js';
import type { Answered, ThreadStart, Told } from './batchThread.js';
import { Packer } from './packedBatch.js';
import { scoringBatches, type LocatedBatch, type ScoringBatch } from './scoringBatches.js';
import { trainingBatches, type TrainingBatch } from './trainingBatches.js';

/** Batches of a row that are made and not taken. */
const ahead = 8;
/** The shortest steps take as long; eight of them last until the thread has looked. */
const lookEveryMs = 4;

interface Row {
  readonly batches: Iterator<TrainingBatch | ScoringBatch, void>;
  readonly taken: Int32Array;
  made: number;
}

keepYoungGeneration();

const { port, bell } = workerData as ThreadStart; // what BatchThread starts it with
let data: EncodedData;
const rows = new Map<number, Row>();
const packer = new Packer();
/** What batches were in that nobody reads any more. */
const used: ArrayBuffer[] = [];

port.on('message', (told: Told) => {
  hear(told);
  while (rows.size > 0) {
    const rung = Atomics.load(bell, 0);
    for (let came; (came = receiveMessageOnPort(port));) hear(came.message as Told);
    if (!makeDue()) Atomics.wait(bell, 0, rung, lookEveryMs);
  }
});

function hear(told: Told): void {
  if ('opened' in told) {
    data = new EncodedData(told.opened);
    practise();
    return;
  }
  if ('used' in told) {
    if (rows.size > 0) used.push(...told.used);
    return;
  }
  if ('close' in told) {
    end(told.row);
    return;
  }
  const batches =
    'training' in told
      ? trainingBatches(data, told.training, 'until the next')
      : withoutPlaces(scoringBatches(data, told.scoring, 'until the next'));
  rows.set(told.row, { batches, taken: told.taken, made: 0 });
}

/**
 * Makes some batches for nobody, before any is asked for: V8 compiles meanwhile what makes them, and the first that is waited for takes
 * half the time.
 */
function practise(): void {
  const shape = { set: 'a', requests: 16, candidates: data.maxCandidates('a') } as const;
  const batches = scoringBatches(data, { needs: { matchCounts: false }, shape, split: 'validation' });
  try {
    for (let made = 0; made < ahead && !batches.next().done; made++);
  } catch {
    // told to who asks for such a batch
  }
  data.letGo();
}

/** Where requests lie is not told. */
function* withoutPlaces(batches: Generator<LocatedBatch, void>): Generator<ScoringBatch, void> {
  for (const { batch, requests, before } of batches) yield { batch, requests, before };
}

/** Makes one batch of every row that has room for it; whether there was any. */
function makeDue(): boolean {
  let any = false;
  for (const [number, row] of rows) {
    if (row.made - Atomics.load(row.taken, 0) >= ahead) continue;
    any = true;
    row.made++;
    if (!answer(number, row)) end(number);
  }
  return any;
}

/** Between trainings the thread keeps nothing of them: other work takes memory then. */
function end(row: number): void {
  if (!rows.delete(row) || rows.size > 0) return;
  used.length = 0;
  data.letGo();
  returnGarbage();
}

/** Answers with the next batch of a row; whether there may be another. */
function answer(row: number, { batches }: Row): boolean {
  try {
    const next = batches.next();
    if (next.done) {
      tell({ row, done: true });
      return false;
    }
    const { batch, ...value } = next.value;
    tell({ row, value, packed: batch && packer.pack(batch, used) });
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
