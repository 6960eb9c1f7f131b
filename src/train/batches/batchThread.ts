/**
 * Batches made by a thread of its own, a few ahead of what is taken: ONNX Runtime holds the thread of JavaScript for the length of a step
 * on the processor, and the next batch is put together meanwhile. The thread reads the shards; users, items and sequences are memory
 * that both share, and a batch's arrays change hands without a copy, there and back: as many as are on their way serve a whole training.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import type { EncodedData, OpenedData } from '../../data/encodedData.js';
import type { FeedBatch } from '../../engine/gradients.js';
import { CascadeError, type Problem } from '../../errors.js';
import { batchesInPlace, type BatchMaker } from './batchMaker.js';
import { Unpacker, type PackedBatch } from './packedBatch.js';
import type { ScoringBatch, ScoringOrder } from './scoringBatches.js';
import type { TrainingBatch, TrainingOrder } from './trainingBatches.js';

/** What a row holds. */
type Order = { readonly training: TrainingOrder } | { readonly scoring: ScoringOrder };

/**
 * What it is told: first the data; then to begin a row of batches, of which `taken` counts those that were taken, in memory that both share;
 * to forget one; to write again what a batch was in.
 */
export type Told =
  | { readonly opened: OpenedData }
  | (Order & { readonly row: number; readonly taken: Int32Array })
  | { readonly row: number; readonly close: true }
  | { readonly used: readonly ArrayBuffer[] };

type Made = TrainingBatch | ScoringBatch;
/** What is made but for the batch itself. */
type Rest = Omit<TrainingBatch, 'batch'> | Omit<ScoringBatch, 'batch'>;

/** What it answers, batch by batch; nothing after `done` and `failed`. */
export type Answered =
  | { readonly row: number; readonly value: Rest; readonly packed: PackedBatch | null }
  | { readonly row: number; readonly done: true }
  | {
      readonly row: number;
      readonly failed: { readonly problems?: readonly Problem[]; readonly error: Error };
    };

/**
 * Starts the thread, before there are data, so that the tenth of a second which it takes goes by meanwhile. It is worth its while where there
 * is a second processor; else null. Code that was not compiled (tests of modules) has no file to start.
 */
export const startBatchThread = (): BatchThread | null =>
  availableParallelism() > 1 && existsSync(entry) ? new BatchThread(entry) : null;

const entry = new URL('./batchThreadEntry.js', import.meta.url);

/** Batches of these data by a thread that was started, where there is one. */
export function openBatches(data: EncodedData, thread: BatchThread | null): BatchMaker {
  if (!thread) return batchesInPlace(data);
  thread.read(data.opened);
  return thread;
}

/** What the thread is started with. */
export interface ThreadStart {
  readonly port: MessagePort;
  /** Its number grows when somebody waits for a batch. */
  readonly bell: Int32Array;
}

/**
 * What V8 may fill with new objects in the thread before it looks which are in use. The arrays of batches go with these objects and do
 * not count: with V8's own 48 MB a teacher's training with 30,000 users of the quickstart peaks at 447 MB, and at 394 so, in the same time.
 */
const maxYoungGenerationSizeMb = 6;

/** Buffers that go back in one message, which costs by the message. */
const givenBackTogether = 4;

/** A row of batches on the side of who takes them. */
interface Row {
  readonly taken: Int32Array;
  readonly came: Answered[];
  /** Who waits for the next. */
  waiting: { readonly answer: (answer: Answered) => void; readonly fail: (cause: unknown) => void } | null;
}

export class BatchThread implements BatchMaker {
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly open = new Map<number, Row>();
  private readonly unpacker = new Unpacker();
  private readonly bell = sharedNumber();
  /** Buffers of batches that were taken, to be given back. */
  private used: ArrayBuffer[] = [];
  private rows = 0;
  private ended: Error | null = null;

  constructor(file: URL) {
    const { port1: port, port2 } = new MessageChannel();
    const start: ThreadStart = { port: port2, bell: this.bell };
    this.worker = new Worker(file, {
      workerData: start,
      transferList: [port2],
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    this.worker.unref();
    this.worker.on('error', (cause) => {
      this.end(cause instanceof Error ? cause : new Error(String(cause)));
    });
    port.on('message', (answered: Answered) => {
      this.take(answered);
    });
    port.unref();
    this.port = port;
  }

  /** Says what batches are made of: once, before the first is asked for. */
  read(opened: OpenedData): void {
    this.tell({ opened });
  }

  training(order: TrainingOrder): AsyncGenerator<TrainingBatch, void> {
    return this.row({ training: order });
  }

  scoring(order: ScoringOrder): AsyncGenerator<ScoringBatch, void> {
    return this.row({ scoring: order });
  }

  close(): void {
    this.end(new Error('the thread of batches is closed'));
    void this.worker.terminate();
    this.port.close();
  }

  private take(answered: Answered): void {
    if ('packed' in answered && answered.packed) this.unpacker.note(answered.packed);
    const row = this.open.get(answered.row);
    if (!row) return; // forgotten meanwhile
    if (!row.waiting) {
      row.came.push(answered);
      return;
    }
    row.waiting.answer(answered);
    row.waiting = null;
    const others = [...this.open.values()].some(({ waiting }) => waiting);
    if (!others) this.port.unref();
  }

  /** Takes what has come while a step held this thread: a message would be brought only in the next turn of the event loop. */
  private takeWhatCame(): void {
    for (let came; (came = receiveMessageOnPort(this.port));) this.take(came.message as Answered);
  }

  /** The batches of an order, which the thread is told of once the first is asked for. */
  private async *row<T extends Made>(order: Order): AsyncGenerator<T, void> {
    const number = this.rows++;
    const row: Row = { taken: sharedNumber(), came: [], waiting: null };
    this.open.set(number, row);
    this.tell({ row: number, ...order, taken: row.taken });
    try {
      for (;;) {
        this.takeWhatCame();
        const answer = row.came.shift() ?? (await this.coming(row));
        Atomics.add(row.taken, 0, 1);
        if ('failed' in answer) throw thrown(answer.failed);
        if ('done' in answer) return;
        const batch = answer.packed && this.unpacked(answer.packed);
        yield { ...answer.value, batch } as T; // the order says which kind it has
      }
    } finally {
      this.open.delete(number);
      if (!this.ended) this.tell({ row: number, close: true });
    }
  }

  private unpacked(packed: PackedBatch): FeedBatch {
    const giveBack = () => {
      this.used.push(packed.bytes);
      if (this.used.length < givenBackTogether || this.ended) return;
      this.tell({ used: this.used });
      this.used = [];
    };
    return { ...this.unpacker.unpack(packed), giveBack };
  }

  private tell(told: Told): void {
    if (this.ended) throw this.ended;
    this.port.postMessage(told, 'used' in told ? told.used : []);
  }

  private coming(row: Row): Promise<Answered> {
    if (this.ended) throw this.ended;
    Atomics.add(this.bell, 0, 1);
    Atomics.notify(this.bell, 0);
    return new Promise((answer, fail) => {
      row.waiting = { answer, fail };
      this.port.ref(); // the process must not end while an answer is due
    });
  }

  private end(cause: Error): void {
    this.ended ??= cause;
    for (const { waiting } of this.open.values()) waiting?.fail(this.ended);
    this.open.clear();
  }
}

function thrown({ problems, error }: Extract<Answered, { failed: unknown }>['failed']): Error {
  return problems ? new CascadeError(problems, { cause: error }) : error;
}

const sharedNumber = () => new Int32Array(new SharedArrayBuffer(4));
