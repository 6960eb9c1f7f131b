import { expect, it } from 'vitest';
import type { FeedBatch } from '../../engine/gradients.js';
import { inRuns } from './batchRuns.js';
import { startAt, type TrainingBatch } from './trainingBatches.js';

/** Batches of epochs of these lengths, each known by its number of rows. */
// eslint-disable-next-line @typescript-eslint/require-await -- what is there at once, where what is waited for may come
async function* made(lengths: readonly number[]): AsyncGenerator<TrainingBatch> {
  let number = 0;
  for (const [epoch, length] of lengths.entries()) {
    for (let requests = 1; requests <= length; requests++) {
      const batch: FeedBatch = { rowIds: new Int32Array(0), rowCount: ++number, tensors: {} };
      yield { batch, position: startAt({ epoch, requests }), isLast: false };
    }
    const isLast = epoch === lengths.length - 1;
    yield { batch: null, position: startAt({ epoch: epoch + 1, requests: 0 }), isLast };
  }
}

async function runsOf(lengths: readonly number[], longest: () => number) {
  const runs = [];
  for await (const { batches, position, isLast } of inRuns(made(lengths), longest)) {
    const { epoch, requests } = position.primary;
    runs.push([batches.map(({ rowCount }) => rowCount), `${epoch}/${requests}`, isLast] as const);
  }
  return runs;
}

it('ends a run with its epoch, and says where the streams stand after it', async () => {
  expect(await runsOf([5, 3], () => 3)).toEqual([
    [[1, 2, 3], '0/3', false],
    [[4, 5], '0/5', false],
    [[], '1/0', false],
    [[6, 7, 8], '1/3', false],
    [[], '2/0', true],
  ]);
});

it('has runs as long as they may be at the time', async () => {
  const lengths = [2, 1, 4, 9, 9];
  const runs = await runsOf([8], () => lengths.shift()!);
  expect(runs.map(([batches]) => batches.length)).toEqual([2, 1, 4, 1, 0]);
});
