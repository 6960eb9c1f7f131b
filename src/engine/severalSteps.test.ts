import { tf } from './tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  optimizers,
  rowsBatch,
  rowWidth,
  startWithRows,
  tablesOf,
  type RowsSettings,
} from '../../test/support/movingRows.js';
import type { Device } from './devices/device.js';
import { relativeError } from './devices/deviceCheck.js';
import { makeOptimizer } from './optim/make.js';

const cpu: Device = { provider: 'cpu', threads: 1 };
const steps = 12;

/** A training of twelve steps in runs of this many; the last may be shorter. */
async function trained(name: string, settings: RowsSettings) {
  const training = startWithRows(cpu, optimizers[name]!, settings);
  const { step } = training;
  const reports = [];
  for (let from = 1; from <= steps; from += settings.stepsPerRun ?? 1) {
    const length = Math.min(settings.stepsPerRun ?? 1, steps + 1 - from);
    const batches = Array.from({ length }, (_, i) => rowsBatch(from + i));
    reports.push(...(await step.takeRun(batches, from)));
  }
  await step.release();
  return { ...training, reports };
}

/** Rows made up for all that they have missed: those of single steps were looked at, and made up for, more often. */
function settled(training: Awaited<ReturnType<typeof trained>>) {
  for (const { rows } of Object.values(training.trained))
    rows.bringUpTo(
      steps,
      Int32Array.from({ length: 40 }, (_, row) => row),
      40,
    );
  const dense = Object.entries(training.trained).flatMap(([name, { state, slots }]) => [
    [`${name}: vector`, state.vector] as const,
    ...slots.map((slot, i) => [`${name}: vector slot ${i}`, slot] as const),
  ]);
  return [...tablesOf(training), ...dense];
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('several steps in one run', () => {
  it.each([
    ['adam', 'drift'],
    ['adam', 'rest'],
    ['adamw', 'drift'],
    ['adagrad', 'drift'],
    ['momentum', 'drift'],
  ] as const)('end as single steps: %s, %s', async (name, untouched) => {
    const single = await trained(name, { untouched });
    const runs = await trained(name, { untouched, stepsPerRun: 5 });
    expect(runs.reports).toHaveLength(steps);
    runs.reports.forEach(({ loss, gradientNorm, terms, shares }, i) => {
      const expected = single.reports[i]!;
      expect(relativeError([loss, gradientNorm], [expected.loss, expected.gradientNorm])).toBeLessThan(1e-5);
      expect(Object.keys(terms)).toEqual(Object.keys(expected.terms));
      expect(relativeError(Object.values(shares), Object.values(expected.shares))).toBeLessThan(1e-5);
    });
    const [expected, actual] = [settled(single), settled(runs)];
    expect(expected.length).toBe(5 + 5 * makeOptimizer(optimizers[name]!).slots.length + 3);
    expected.forEach(([key, values], i) => {
      const [found, numbers] = actual[i]!;
      expect(found).toBe(key);
      expect(relativeError(numbers, values), key).toBeLessThan(1e-5);
    });
  });

  it('are the same bytes however many a run has', async () => {
    const [two, five, twelve] = [
      await trained('adam', { stepsPerRun: 2 }),
      await trained('adam', { stepsPerRun: 5 }),
      await trained('adam', { stepsPerRun: 12 }),
    ];
    expect(settled(five)).toEqual(settled(two));
    expect(settled(twelve)).toEqual(settled(two));
    const numbers = ({ reports }: typeof two) =>
      reports.map(({ loss, gradientNorm }) => [loss, gradientNorm]);
    expect(numbers(five)).toEqual(numbers(two));
  });

  it('move state and rows once a run, and a batch with what its rows have missed in each step', async () => {
    const dense = 3 * (rowWidth * rowWidth + 1 + rowWidth);
    const tables = (3 + 3) * 65 * rowWidth; // two models with Adam's two slots; room for 64 rows, and the one for padding
    const fixed = 1 + 2 * 65 * rowWidth; // read only: a frozen model, rows at rest
    const batch = 8 * rowWidth + 8 + 8; // x, mask, ids
    const each = batch + 2 * 8 * 4 + 3 + 8; // missed by two models; Adam's scalars; losses, weighted and not, and norms
    for (const stepsPerRun of [4, 12]) {
      const { reports } = await trained('adam', { stepsPerRun });
      const bytes = 4 * (each + (2 * (dense + tables) + fixed) / stepsPerRun);
      for (const { bytesMoved } of reports) expect(bytesMoved).toBeCloseTo(bytes, 6);
    }
  });

  it('end at the first number that is not finite, with the steps before it taken', async () => {
    const taken = async (stepsPerRun: number) => {
      const training = startWithRows(cpu, optimizers.adam!, { stepsPerRun });
      const batches = [1, 2, 3, 4].map((number) => rowsBatch(number));
      batches[2]!.tensors.x!.data[7] = Number.POSITIVE_INFINITY;
      await expect(training.step.takeRun(batches, 1)).rejects.toThrow('batch input x');
      await training.step.release();
      return training;
    };
    expect(tablesOf(await taken(4))).toEqual(tablesOf(await taken(1)));
  });

  it('are cut where batches change their shape', async () => {
    const results = [];
    for (const stepsPerRun of [1, 4]) {
      const training = startWithRows(cpu, optimizers.adam!, { stepsPerRun });
      const batches = [3, 3, 6, 6].map((padding, i) => rowsBatch(i + 1, padding));
      const reports = await training.step.takeRun(batches, 1);
      await training.step.release();
      results.push(reports.map(({ loss }) => loss));
    }
    expect(results[1]).toHaveLength(4);
    expect(relativeError(results[1]!, results[0]!)).toBeLessThan(1e-5);
  });
});
