import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildFrom, configOf, temporaryFolder } from '../../test/support/canonicalLogs.js';
import { randomLogs } from '../../test/support/randomLogs.js';
import { Duckdb } from '../data/duckdb.js';
import { chunksOf } from './chunks.js';
import { duckdb } from './dialect.js';
import { chunkViews, firstViews, laterViews, sinks, statementOf } from './script.js';
import type { ScriptSettings, View } from './settings.js';

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
const define = async (views: readonly View[]) => {
  for (const view of views) await db.run(statementOf(duckdb, view));
};
beforeAll(async () => {
  const { runFolder } = await buildFrom(randomLogs(1), config);
  const of = (table: string) => [join(runFolder, 'logs', table, 'part-00000.parquet')];
  const [requests, candidates, feedback] = [of('requests'), of('candidates'), of('feedback')];
  const files = { requests, candidates, feedback, behaviours: of('behaviours'), items: of('items') };
  const spillFolder = join(await temporaryFolder(), 'spill');
  db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder });
  await define(firstViews(duckdb, settings, files));
  await define(laterViews(duckdb, settings, { validationFrom: '2024-01-04', testFrom: '2024-01-05' }));
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
