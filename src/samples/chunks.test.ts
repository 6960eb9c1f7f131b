import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildFrom, configOf, temporaryFolder } from '../../test/support/canonicalLogs.js';
import { randomLogs } from '../../test/support/randomLogs.js';
import { Duckdb } from '../data/duckdb.js';
import { chunksOf, rangesOf } from './chunks.js';
import { duckdb } from './dialect.js';
import { chunkViews, firstViews, laterViews, sinks, statementOf } from './script.js';
import { within, type LogFiles, type ScriptSettings, type View } from './settings.js';

const config = configOf({
  samples: {
    b: {
      max_candidates: 5,
      negatives: [
        { kind: 'uniform', per_request: 2 },
        { kind: 'popularity', per_request: 2, power: 0.75 },
      ],
    },
  },
});
const settings: ScriptSettings = { ...config.samples, seed: config.seed };

let db: Duckdb;
let files: LogFiles;
const days = { validationFrom: '2024-01-04', testFrom: '2024-01-05' };
const define = async (views: readonly View[]) => {
  for (const view of views) await db.run(statementOf(duckdb, view));
};
beforeAll(async () => {
  const { runFolder } = await buildFrom(randomLogs(1), config);
  const of = (table: string) => [join(runFolder, 'logs', table, 'part-00000.parquet')];
  const [requests, candidates, feedback] = [of('requests'), of('candidates'), of('feedback')];
  files = { requests, candidates, feedback, behaviours: of('behaviours'), items: of('items') };
  const spillFolder = join(await temporaryFolder(), 'spill');
  db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder });
  await define(firstViews(duckdb, settings, files));
  await define(laterViews(duckdb, settings, days));
});
afterAll(() => db.close());

it('of a request each hold every request once, in the order of split and id', async () => {
  const chunks = await chunksOf(db, 'used_requests', '1', 1);
  const requests = await db.rows('SELECT split, request_id FROM used_requests ORDER BY ALL');
  expect(chunks.map(({ split, low, high }) => [split, low, high])).toEqual(
    requests.map(({ split, request_id: id }) => [Number(split), id, id]),
  );
});

it.each([
  ['samples_a', 'used_requests', 50],
  ['samples_b', 'b_requests', 70],
] as const)(
  'of %s, read one after the other, are the whole of %s with %i rows a chunk',
  async (set, relation, size) => {
    await define(chunkViews(duckdb, settings));
    const whole = await db.rows(sinks(duckdb, settings)[set]);
    const chunks = await chunksOf(db, relation, set === 'samples_b' ? 'n_logged' : '4', size);
    expect(chunks.length).toBeGreaterThan(5);
    const parts: unknown[] = [];
    for (const chunk of chunks) {
      await define(chunkViews(duckdb, settings, chunk));
      parts.push(...(await db.rows(sinks(duckdb, settings, chunk)[set])));
    }
    expect(whole.length).toBeGreaterThan(100);
    expect(parts).toEqual(whole);
  },
);

it.each(['', 'ORDER BY md5(request_id::VARCHAR)'])(
  'ranges hold every id once, and equally many where ids are in order: %s',
  async (order) => {
    await db.run(
      `CREATE OR REPLACE TEMPORARY TABLE ids AS SELECT request_id FROM (SELECT * FROM used_requests ORDER BY request_id) ${order}`,
    );
    const ids = (await db.rows('SELECT request_id FROM ids ORDER BY ALL')).map((row) => row.request_id);
    const ranges = await rangesOf(db, 'ids', 'request_id', 7);
    const found: unknown[] = [];
    for (const range of ranges) {
      const rows = await db.rows(
        `SELECT request_id FROM ids WHERE ${within(range, 'request_id')} ORDER BY ALL`,
      );
      if (order === '') expect(rows.length).toBeLessThanOrEqual(7);
      found.push(...rows.map((row) => row.request_id));
    }
    expect(found).toEqual(ids);
    expect(ranges.length).toBeGreaterThan(1);
  },
);

it('there is one range of what is empty, and it is open', async () => {
  expect(await rangesOf(db, '(SELECT 1 AS id WHERE FALSE)', 'id')).toEqual([{}]);
});

it.each(['ready_requests', 'sequence_events', 'request_behaviours', 'positives', 'b_requests'])(
  '%s is the same range by range',
  async (name) => {
    const view = [...firstViews(duckdb, settings, files), ...laterViews(duckdb, settings, days)].find(
      (one) => one.name === name,
    )!;
    const { of, query } = view.inRanges!;
    const ranges = await (of === 'users'
      ? rangesOf(db, 'behaviour_log', 'user_id', 30)
      : rangesOf(db, 'request_log', 'request_id', 10));
    expect(ranges.length).toBeGreaterThan(2);
    const parts: Record<string, unknown>[] = [];
    for (const range of ranges) parts.push(...(await db.rows(query(range))));
    const whole = await db.rows(view.query);
    const sorted = (rows: readonly Record<string, unknown>[]) =>
      rows.map((row) => Object.values(row).map(String).join()).toSorted();
    if (name !== 'positives') expect(sorted(parts)).toEqual(sorted(whole)); // those of a day in two ranges are two rows
    const sum = (rows: readonly Record<string, unknown>[]) =>
      rows.reduce((total, row) => total + Number(row.n ?? 1), 0);
    expect(sum(parts)).toBe(sum(whole));
  },
);
