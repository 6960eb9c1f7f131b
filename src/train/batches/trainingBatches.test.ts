import { expect, it } from 'vitest';
import { testData } from '../../../test/support/encoded.js';
import { studentPlan } from '../../../test/support/studentTraining.js';
import { startAt, trainingBatches, type TrainingBatch, type TrainingOrder } from './trainingBatches.js';

const data = testData({ requests: 90 });
const { primary, secondary } = studentPlan(data, 1);
const order: TrainingOrder = {
  needs: { matchCounts: false },
  seed: 3,
  primary,
  ...(secondary && { secondary }),
  place: { rank: 0, size: 1 },
  from: startAt({ epoch: 0, requests: 0 }),
  lastRequest: 2 * data.requests('a', 'train'),
};
const withRows = (rows: number): TrainingOrder => ({
  ...order,
  from: { ...order.from, heights: { items: 64, rows } },
});

const heightOf = ({ batch }: TrainingBatch) => batch?.rowIds.length;
const contents = ({ batch }: TrainingBatch) => batch && [...batch.rowIds.subarray(0, batch.rowCount)];

it('pads lists of distinct rows to the longest so far, and to that of the position it goes on from', () => {
  const plain = [...trainingBatches(data, order)];
  const wide = [...trainingBatches(data, withRows(960))];
  expect(new Set(wide.map(heightOf))).toEqual(new Set([960, undefined]));
  expect(wide.map(contents)).toEqual(plain.map(contents));
  const heights = plain.flatMap((made) => heightOf(made) ?? []);
  expect(heights).toEqual(heights.toSorted((a, b) => a - b));
  expect(wide.every(({ position }) => position.heights.rows === 960)).toBe(true);

  const at = plain.findIndex(({ batch }) => batch === null) - 2;
  const rest = [...trainingBatches(data, { ...order, from: plain[at]!.position })];
  expect(rest).toEqual(plain.slice(at + 1));
});
