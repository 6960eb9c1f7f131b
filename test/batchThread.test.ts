/** Batches by a thread of its own, which runs the built program, against the same made in place. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { FeedBatch } from '../src/engine/gradients.js';
import { CascadeError } from '../src/errors.js';
import { batchesInPlace } from '../src/train/batches/batchMaker.js';
import { BatchThread } from '../src/train/batches/batchThread.js';
import { startAt, type TrainingBatch, type TrainingOrder } from '../src/train/batches/trainingBatches.js';
import { testData } from './support/encoded.js';
import { blockOf } from './support/models.js';
import { root } from './support/program.js';
import { studentPlan } from './support/studentTraining.js';

const entry = pathToFileURL(join(root, 'dist/train/batches/batchThreadEntry.js'));
const needs = { matchCounts: true, itemVectors: true };

const opened: BatchThread[] = [];
function threadOf(data: ReturnType<typeof testData>): BatchThread {
  const thread = new BatchThread(entry);
  thread.read(data.opened);
  opened.push(thread);
  return thread;
}
afterEach(() => {
  for (const thread of opened.splice(0)) thread.close();
});

/** Two and a bit passes over set A, with set B and the teacher's scores beside it. */
function orderOf(data: ReturnType<typeof testData>): TrainingOrder {
  const { primary, secondary } = studentPlan(data, 1);
  return {
    needs,
    seed: 3,
    primary,
    ...(secondary && { secondary }),
    place: { rank: 0, size: 1 },
    from: startAt({ epoch: 0, requests: 11 }),
    lastRequest: Math.round(2.3 * data.requests('a', 'train')),
  };
}

interface Made {
  readonly batch: FeedBatch | null;
}

/** All of them, without the way that a thread's batches give their arrays back. */
async function all<T extends Made>(rows: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of rows) list.push({ ...one, batch: plain(one.batch) });
  return list;
}

function plain(batch: FeedBatch | null): FeedBatch | null {
  if (!batch) return null;
  const { rowIds, rowCount, tensors } = batch;
  return { rowIds, rowCount, tensors };
}

describe('a thread that makes batches', () => {
  it('makes those of a training that are made in place, in their order, with the same positions', async () => {
    const data = testData({ requests: 90, vectorWidth: 5 });
    const order = orderOf(data);
    const expected = await all(batchesInPlace(data).training(order));
    expect(await all(threadOf(data).training(order))).toEqual(expected);
    expect(expected.filter(({ batch }) => batch === null)).toHaveLength(3); // the ends of two epochs and of the training
    expect(expected.at(-1)!.isLast).toBe(true);
  });

  it('writes again to arrays that were given back, and to no others', async () => {
    const data = testData({ requests: 90 });
    const order = orderOf(data);
    const expected = await all(batchesInPlace(data).training(order));
    const held = new Map<number, FeedBatch | null>();
    const givenBack: FeedBatch[] = [];
    let number = 0;
    for await (const { batch } of threadOf(data).training(order)) {
      expect(plain(batch)).toEqual(expected[number]!.batch);
      if (number % 3 === 0) held.set(number, batch);
      else if (batch?.giveBack) {
        batch.giveBack();
        givenBack.push(batch);
      }
      number++;
    }
    expect(number).toBe(expected.length);
    const gone = givenBack.filter(({ rowIds }) => rowIds.length === 0); // whose memory is the thread's again
    expect(gone.length).toBeGreaterThan(givenBack.length - 4); // all but those that wait for a message
    for (const [i, batch] of held) expect(plain(batch)).toEqual(expected[i]!.batch);
  });

  it('is some batches ahead of one that holds its own thread and never asks', async () => {
    const data = testData({ requests: 90 });
    const training = threadOf(data).training(orderOf(data));
    await training.next(); // made in place
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    let waited = false;
    setImmediate(() => (waited = true));
    for (let batch = 0; batch < 5; batch++) await training.next();
    expect(waited).toBe(false);
  });

  it('makes those of a scoring while a training goes on', async () => {
    const data = testData({ requests: 90 });
    const thread = threadOf(data);
    const scoring = { needs, shape: blockOf(data, 'a', 5), split: 'validation' } as const;
    const inPlace = await all(batchesInPlace(data).scoring(scoring));
    const whole = await all(batchesInPlace(data).training(orderOf(data)));
    const training = thread.training(orderOf(data));
    const steps: TrainingBatch[] = [];
    for (let step = 0; step < 2; step++) steps.push((await training.next()).value!);
    const scored = await all(thread.scoring(scoring));
    steps.push(...(await all(training)));
    expect(steps.map(({ batch, ...rest }) => ({ ...rest, batch: plain(batch) }))).toEqual(whole);
    expect(scored).toEqual(inPlace.map(({ batch, requests, before }) => ({ batch, requests, before })));
  });

  it('tells of a damaged file as it would be told in place', async () => {
    const data = testData({ requests: 90 });
    const file = join(data.opened.folder, data.shards('a', 'validation')[0]!.file);
    writeFileSync(file, readFileSync(file).subarray(0, 40));
    const scoring = { needs, shape: blockOf(data, 'a', 5), split: 'validation' } as const;
    const failure = await all(threadOf(data).scoring(scoring)).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(CascadeError);
    expect((failure as CascadeError).problems[0]).toMatchObject({ code: 'data.damaged_file', where: file });
  });

  it('fails who still waits when it is closed', async () => {
    const data = testData({ requests: 90 });
    const thread = threadOf(data);
    const scoring = thread.scoring({ needs, shape: blockOf(data, 'a', 5), split: 'validation' });
    const waiting = scoring.next();
    thread.close();
    await expect(waiting).rejects.toThrow('closed');
  });
});
