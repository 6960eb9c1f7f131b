/** The simulated log comes in parts of bounded size: a day of many rows is cut, and no part knows of the one before. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configOf, temporaryFolder } from '../../../test/support/canonicalLogs.js';
import type { ScalarColumn } from '../../data/columns.js';
import { Duckdb } from '../../data/duckdb.js';
import { silentProgress } from '../../run/progress.js';
import { loadSimulation } from './load.js';
import { simulate, type SimulatedBatch } from './simulate.js';
import type { SimulationConfig } from './world.js';

/** Days of about 80,000 candidates. */
const { logs } = configOf({
  logs: { kind: 'simulate', users: 160, items: 4000, days: 3, retrieved: 500, preranked: 12 },
});
const config = logs as SimulationConfig; // its kind is stated above
const seed = 3;
const simulated = [...simulate(config, seed)];

const cell = ({ batch }: SimulatedBatch, name: string, row: number) => {
  const { values, nulls } = batch.columns[name] as ScalarColumn;
  return nulls?.[row] ? null : Number(values[row]);
};

it('has no part longer than 65,536 rows, whatever a day has', () => {
  const parts = simulated.filter(({ table }) => table === 'candidates');
  const rowsOfDay = [0, 1, 2].map((day) =>
    parts.filter((part) => part.day === day).reduce((sum, { batch }) => sum + batch.rows, 0),
  );
  expect(Math.min(...rowsOfDay)).toBeGreaterThan(2 ** 16);
  expect(Math.max(...parts.map(({ batch }) => batch.rows))).toBeLessThanOrEqual(2 ** 16);
  for (const { day, batch } of parts) {
    const { values } = batch.columns.dt as ScalarColumn;
    expect(new Set(values as string[])).toEqual(new Set([`2024-01-0${day + 1}`])); // dt is a text
  }
});

it('cuts between actions: every request lies in one part with all that belongs to it', () => {
  const partOf = new Map<number, number>();
  const found = new Map<number, number>();
  let part = 0;
  for (const one of simulated) {
    for (let row = 0; row < one.batch.rows; row++) {
      if (one.table === 'requests') {
        if (row === 0) part++;
        const id = cell(one, 'request_id', row)!;
        if (id !== partOf.size + 1) throw new Error(`request ${id} comes after ${partOf.size}`);
        partOf.set(id, part);
      } else if (one.table === 'candidates' || one.table === 'feedback') {
        const id = cell(one, 'request_id', row)!;
        if (partOf.get(id) !== part) throw new Error(`request ${id} has ${one.table} in part ${part}`);
        if (one.table === 'candidates') found.set(id, (found.get(id) ?? 0) + 1);
      }
    }
  }
  expect(found.size).toBe(partOf.size);
  expect(Math.min(...found.values())).toBeGreaterThanOrEqual(config.retrieved);
});

it('starts each part empty: nothing of an earlier row is left where a row has nothing', () => {
  let wrong = 0;
  let unclicked = 0;
  let elsewhere = 0;
  for (const part of simulated) {
    for (let row = 0; row < part.batch.rows; row++) {
      if (part.table === 'feedback') {
        const isClicked = cell(part, 'click', row) === 1;
        if ((cell(part, 'first_event_ts', row) !== null) !== isClicked) wrong++;
        if (!isClicked) unclicked++;
      } else if (part.table === 'behaviours' && cell(part, 'request_id', row) === null) {
        if (cell(part, 'event_type', row) !== 1) wrong++;
        elsewhere++;
      }
    }
  }
  expect(wrong).toBe(0);
  expect(unclicked).toBeGreaterThan(100);
  expect(elsewhere).toBeGreaterThan(160 * 15);
});

it('lets the event loop turn between parts', async () => {
  const db = await Duckdb.open({
    threads: 1,
    memoryLimit: '512MB',
    spillFolder: join(await temporaryFolder(), 'spill'),
  });
  let turns = 0;
  const turn = () => {
    turns++;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const seen: number[] = [];
  const progress = {
    ...silentProgress,
    begin: () => ({ update: () => void seen.push(turns), end: () => undefined }),
  };
  const small = { ...config, users: 30, items: 200, retrieved: 24 };
  try {
    await loadSimulation(db, small, seed, progress);
  } finally {
    clearImmediate(next);
    await db.close();
  }
  expect(seen.length).toBeGreaterThan(6);
  expect(new Set(seen).size).toBe(seen.length);
});
