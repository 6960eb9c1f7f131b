/**
 * Batches made by a thread of its own, one ahead of what is taken: ONNX Runtime holds the thread of JavaScript for the length of a step
 * on the processor, and the next batch is put together meanwhile. The thread reads the shards; users, items and sequences are memory
 * that both share, and a batch's arrays change hands without a copy.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { EncodedData, OpenedData } from '../../data/encodedData.js';
import { CascadeError, type Problem } from '../../errors.js';
import { batchesInPlace, type BatchMaker } from './batchMaker.js';
import { Unpacker, type PackedBatch } from './packedBatch.js';
import type { ScoringBatch, ScoringOrder } from './scoringBatches.js';
import { trainingBatches, type TrainingBatch, type TrainingOrder } from './trainingBatches.js';

/** What it is told: to begin a row of batches, to make the next of one, to forget one. */
export type Asked =
  | { readonly row: number; readonly training: TrainingOrder }
  | { readonly row: number; readonly scoring: ScoringOrder }
  | { readonly row: number; readonly next: true }
  | { readonly row: number; readonly close: true };

type Made = TrainingBatch | ScoringBatch;
/** What is made but for the batch itself. */
type Rest = Omit<TrainingBatch, 'batch'> | Omit<ScoringBatch, 'batch'>;

/** What it answers to `next`; rows have one question open at most. */
export type Answered =
  | { readonly row: number; readonly value: Rest; readonly packed: PackedBatch | null }
  | { readonly row: number; readonly done: true }
  | {
      readonly row: number;
      readonly failed: { readonly problems?: readonly Problem[]; readonly error: Error };
    };

/** A thread is worth its while where there is a second processor. Code that was not compiled (tests of modules) has no file to start. */
const entry = new URL('./batchThreadEntry.js', import.meta.url);
export const openBatches = (data: EncodedData): BatchMaker =>
  availableParallelism() > 1 && existsSync(entry) ? new BatchThread(data, entry) : batchesInPlace(data);

interface Waiting {
  readonly answer: (answer: Answered) => void;
  readonly fail: (cause: unknown) => void;
}

export class BatchThread implements BatchMaker {
  private started: Worker | null = null;
  private readonly waiting = new Map<number, Waiting>();
  private readonly unpacker = new Unpacker();
  private rows = 0;
  private ended: Error | null = null;

  constructor(
    private readonly data: EncodedData,
    private readonly file: URL,
  ) {}

  /** The first batch is made here: the thread, ready after a tenth of a second, has time while the step is compiled for it. */
  async *training(order: TrainingOrder): AsyncGenerator<TrainingBatch, void> {
    this.thread();
    const [first] = trainingBatches(this.data, order);
    if (!first) return;
    this.data.keep([]);
    yield first;
    if (first.isLast) return;
    const training = { ...order, from: first.position };
    yield* this.row<TrainingBatch>({ row: this.rows++, training });
  }

  scoring(order: ScoringOrder): AsyncGenerator<ScoringBatch, void> {
    return this.row<ScoringBatch>({ row: this.rows++, scoring: order });
  }

  close(): void {
    this.end(new Error('the thread of batches is closed'));
    void this.started?.terminate();
  }

  private thread(): Worker {
    if (this.ended) throw this.ended;
    if (this.started) return this.started;
    const { opened } = this.data;
    const worker = new Worker(this.file, { workerData: opened satisfies OpenedData, execArgv: [] });
    worker.unref();
    worker.on('message', (answered: Answered) => {
      this.waiting.get(answered.row)?.answer(answered);
      this.waiting.delete(answered.row);
      if (this.waiting.size === 0) worker.unref();
    });
    worker.on('error', (cause) => {
      this.end(cause instanceof Error ? cause : new Error(String(cause)));
    });
    return (this.started = worker);
  }

  private async *row<T extends Made>(begin: Asked): AsyncGenerator<T, void> {
    const { row } = begin;
    this.tell(begin);
    try {
      let coming = this.next(row);
      for (;;) {
        const answer = await coming;
        if ('failed' in answer) throw thrown(answer.failed);
        if ('done' in answer) return;
        coming = this.next(row);
        coming.catch(() => undefined); // a failure is told to the one who asks for this batch, if any
        const batch = answer.packed && this.unpacker.unpack(answer.packed);
        yield { ...answer.value, batch } as T; // the order that began the row says which kind it has
      }
    } finally {
      if (!this.ended) this.tell({ row, close: true });
    }
  }

  private tell(asked: Asked): void {
    this.thread().postMessage(asked);
  }

  private next(row: number): Promise<Answered> {
    return new Promise((answer, fail) => {
      this.tell({ row, next: true });
      this.waiting.set(row, { answer, fail });
      this.thread().ref(); // the process must not end while an answer is due
    });
  }

  private end(cause: Error): void {
    this.ended ??= cause;
    for (const { fail } of this.waiting.values()) fail(this.ended);
    this.waiting.clear();
  }
}

function thrown({ problems, error }: Extract<Answered, { failed: unknown }>['failed']): Error {
  return problems ? new CascadeError(problems, { cause: error }) : error;
}
