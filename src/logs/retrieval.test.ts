import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { Duckdb } from '../data/duckdb.js';
import { silentProgress } from '../run/progress.js';
import { sourceTable } from './complete.js';
import { simulateRetrieval } from './retrieval.js';
import { pickCandidates, type Catalogue, type DayIndex, type RetrievalRequest } from './retrievalIndex.js';

// ------------------------------------------------------------------------------------------------- what is found for a request

const catalogue = (
  items: number,
  from: Record<number, number> = {},
  to: Record<number, number> = {},
): Catalogue => ({
  ids: BigInt64Array.from({ length: items }, (_, item) => BigInt(100 + item)),
  fromMs: Float64Array.from({ length: items }, (_, item) => from[item] ?? -Infinity),
  toMs: Float64Array.from({ length: items }, (_, item) => to[item] ?? Infinity),
});

/** An index from exposures per item and, per item, its neighbours with counts. */
function indexOf(
  exposures: readonly number[],
  near: Record<number, readonly (readonly [number, number])[]> = {},
): DayIndex {
  let sum = 0;
  const lists = exposures.map((_, item) => near[item] ?? []);
  const starts = lists.reduce((ends, list) => [...ends, ends.at(-1)! + list.length], [0]);
  return {
    popularity: Float64Array.from(exposures),
    popularitySum: Float64Array.from(exposures, (times) => (sum += times)),
    neighbourStart: Int32Array.from(starts),
    neighbour: Int32Array.from(lists.flat().map(([item]) => item)),
    times: Float64Array.from(lists.flat().map(([, times]) => times)),
  };
}

const request = (triggers: number[] = [], exposed: number[] = [], requestId = 1n): RetrievalRequest => ({
  requestId,
  atMs: 1000,
  exposed: new Set(exposed),
  triggers,
});

describe('the channels', () => {
  it('rank what co-occurred with the triggers by summed count, then by id', () => {
    // Neighbours of 0: 2 (3 times), 3 (2), 4 (2); of 1: 4 (2), 3 (2), 5 (3). Sums: 3 → 4, 4 → 4, 2 → 3, 5 → 3.
    const index = indexOf([0, 0, 0, 0, 0, 0], {
      0: [
        [2, 3],
        [3, 2],
        [4, 2],
      ],
      1: [
        [5, 3],
        [3, 2],
        [4, 2],
      ],
    });
    const settings = { oneIn: 1, candidates: 3, popularityShare: 0 };
    expect(pickCandidates(request([0, 1]), index, catalogue(6), settings, 1)).toEqual([
      { item: 3, channels: [2], rank: 1, score: 4 },
      { item: 4, channels: [2], rank: 2, score: 4 },
      { item: 2, channels: [2], rank: 3, score: 3 },
    ]);
  });

  it('rank what popularity drew by its share of exposures, and fill up what co-occurrence lacks', () => {
    const index = indexOf([60, 0, 10, 30, 0], { 4: [[2, 7]] });
    const settings = { oneIn: 1, candidates: 3, popularityShare: 1 / 3 };
    const found = pickCandidates(request([4]), index, catalogue(5), settings, 1);
    expect(found.map(({ item }) => item).sort()).toEqual([0, 2, 3]);
    expect(found).toContainEqual(expect.objectContaining({ item: 0, channels: [1], rank: 1, score: 0.6 }));
    expect(found.find(({ item }) => item === 2)).toMatchObject({ rank: 1, score: 7 }); // its place is best in co-occurrence
  });

  it('name both channels when both found an item', () => {
    const index = indexOf([1, 0], { 1: [[0, 5]] });
    const settings = { oneIn: 1, candidates: 2, popularityShare: 0.5 };
    expect(pickCandidates(request([1]), index, catalogue(2), settings, 1)).toEqual([
      { item: 0, channels: [1, 2], rank: 1, score: 1 },
    ]);
  });

  it('find nothing that was exposed, is not there yet, or is gone', () => {
    const index = indexOf([1, 1, 1, 1, 1], {
      0: [
        [1, 9],
        [2, 9],
        [3, 9],
        [4, 9],
      ],
    });
    const validity = catalogue(5, { 2: 1001 }, { 3: 1000 });
    for (const popularityShare of [0, 1]) {
      const settings = { oneIn: 1, candidates: 5, popularityShare };
      const items = pickCandidates(request([0], [1]), index, validity, settings, 1).map(({ item }) => item);
      expect(items.every((item) => item === 0 || item === 4)).toBe(true);
      expect(items).toContain(4);
    }
  });

  it('give whole lists of distinct items wherever there are enough', () => {
    const settings = fc.record({
      oneIn: fc.constant(1),
      candidates: fc.integer({ min: 2, max: 8 }),
      popularityShare: fc.float({ min: 0, max: 1, noNaN: true }),
    });
    const counts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 12, maxLength: 20 });
    fc.assert(
      fc.property(
        settings,
        counts,
        fc.array(fc.nat(11), { maxLength: 4 }),
        fc.nat(),
        (chosen, exposures, triggers, seed) => {
          const near = Object.fromEntries(
            exposures.map((times, item) => [item, [[(item + times) % exposures.length, times] as const]]),
          );
          const found = pickCandidates(
            request(triggers, [0]),
            indexOf(exposures, near),
            catalogue(exposures.length),
            chosen,
            seed,
          );
          const items = new Set(found.map(({ item }) => item));
          expect(items.size).toBe(chosen.candidates);
          expect(found.length).toBe(chosen.candidates);
          expect(items.has(0)).toBe(false);
        },
      ),
    );
  });

  it('draw without replacement in proportion to exposures', () => {
    // Weights 3, 2, 1: the first two of a draw without replacement contain item 2 with probability
    // 1/6 + 3/6 · 1/3 + 2/6 · 1/4 = 5/12.
    const index = indexOf([3, 2, 1]);
    const settings = { oneIn: 1, candidates: 2, popularityShare: 1 };
    const draws = 20_000;
    let seen = 0;
    for (let id = 0; id < draws; id++) {
      const found = pickCandidates(request([], [], BigInt(id)), index, catalogue(3), settings, 1);
      if (found.some(({ item }) => item === 2)) seen++;
    }
    expect(Math.abs(seen / draws - 5 / 12)).toBeLessThan(4 * Math.sqrt(((5 / 12) * (7 / 12)) / draws));
  });

  it('stop when there is nothing to draw', () => {
    const settings = { oneIn: 1, candidates: 4, popularityShare: 1 };
    expect(pickCandidates(request(), indexOf([0, 0]), catalogue(2), settings, 1)).toEqual([]);
    expect(pickCandidates(request(), indexOf([1, 0]), catalogue(2), settings, 1)).toHaveLength(1);
  });
});

// ------------------------------------------------------------------------------------------------------------ over whole tables

/** Random exposures of 12 users and 40 items over 4 days, as SQL; long views (2) of a third of them; a history without times. */
const tables = `
  CREATE TABLE shown AS
    SELECT CAST(i AS BIGINT) AS request_id, CAST(1 + (i * 7 + i // 5) % 12 AS BIGINT) AS user_id, CAST(100 + (i * i * 31 + i * 17) % 40 AS BIGINT) AS item_id,
           TIMESTAMP '2024-01-01' + to_minutes(CAST(i * 9 AS BIGINT)) AS ts FROM range(1, 600) AS r(i);
  CREATE TABLE ${sourceTable('requests')} AS
    SELECT request_id, user_id, ts AS request_ts, strftime(ts, '%Y-%m-%d') AS dt, CAST(NULL AS INTEGER) AS n_retrieved FROM shown;
  CREATE TABLE ${sourceTable('candidates')} AS
    SELECT strftime(ts, '%Y-%m-%d') AS dt, request_id, item_id, CAST(6 AS TINYINT) AS stage_reached, CAST([0] AS SMALLINT[]) AS retrieval_channels,
           CAST(NULL AS FLOAT) AS retrieval_score, CAST(NULL AS INTEGER) AS retrieval_rank, TRUE AS exposed FROM shown;
  CREATE TABLE ${sourceTable('behaviours')} AS
    SELECT user_id, item_id, ts AS event_ts, 12 AS event_type, FALSE AS time_is_order_only FROM shown
    UNION ALL SELECT user_id, item_id, ts, 2, FALSE FROM shown WHERE (request_id + request_id // 7) % 3 = 0
    UNION ALL SELECT 1 + i % 12, 100 + i * 3 % 40, TIMESTAMP '2024-01-02' + to_seconds(i), 12 - 10 * (i % 2), TRUE FROM range(120) AS r(i);
  CREATE TABLE ${sourceTable('items')} AS SELECT CAST(100 + i AS BIGINT) AS item_id FROM range(40) AS r(i)`;

type Rows = Record<string, unknown>[];

/** The candidates that the retrieval adds, after `change` was made to the tables. */
async function retrieved(change = '', seed = 1, oneIn = 1): Promise<Rows> {
  const db = await Duckdb.open({
    threads: 2,
    memoryLimit: '500MB',
    spillFolder: join(await temporaryFolder(), 'spill'),
  });
  try {
    await db.run(tables);
    if (change) await db.run(change);
    const source = { timeZone: '+00:00', positiveEvents: [2], popularityEvents: [12] };
    await simulateRetrieval(db, source, { oneIn, candidates: 8, popularityShare: 0.5 }, seed, silentProgress);
    return await db.rows(
      `SELECT dt, request_id, item_id, retrieval_channels, retrieval_rank, retrieval_score FROM ${sourceTable('candidates')}
       WHERE NOT exposed ORDER BY request_id, item_id`,
    );
  } finally {
    await db.close();
  }
}

describe('simulated retrieval', () => {
  const day3 = '2024-01-03';
  const of = (rows: Rows, dt: string) => rows.filter((row) => row.dt === dt);

  it('uses nothing of the request day and later: without those events the same candidates are found', async () => {
    const all = of(await retrieved(), day3);
    const without = of(
      await retrieved(
        `DELETE FROM ${sourceTable('behaviours')} WHERE NOT time_is_order_only AND event_ts >= TIMESTAMP '${day3}'`,
      ),
      day3,
    );
    expect(all.length).toBeGreaterThan(500);
    expect(without).toEqual(all);
  });

  it('does use the day before', async () => {
    const all = of(await retrieved(), day3);
    const without = of(
      await retrieved(
        `DELETE FROM ${sourceTable('behaviours')} WHERE NOT time_is_order_only AND event_ts >= TIMESTAMP '2024-01-02'`,
      ),
      day3,
    );
    expect(without).not.toEqual(all);
  });

  it('counts a history without times as before the first day, whatever times stand in it', async () => {
    const first = of(await retrieved(), '2024-01-01');
    expect(first.some((row) => (row.retrieval_channels as number[]).includes(2))).toBe(true);
    expect(
      of(
        await retrieved(
          `UPDATE ${sourceTable('behaviours')} SET event_ts = event_ts + INTERVAL 9 DAY WHERE time_is_order_only`,
        ),
        '2024-01-01',
      ),
    ).toEqual(first);
  });

  it('finds whole lists of items that were not exposed in the request, from both channels', async () => {
    const rows = await retrieved();
    expect(rows.length).toBe(599 * 8);
    expect(new Set(rows.map((row) => (row.retrieval_channels as number[]).join()))).toEqual(
      new Set(['1', '2', '1,2']),
    );
  });

  it('depends on nothing but the tables and the seed, and draws requests by seed and id', async () => {
    const rows = await retrieved('', 1, 4);
    expect(
      await retrieved(
        `CREATE TABLE old AS FROM ${sourceTable('behaviours')}; DELETE FROM ${sourceTable('behaviours')};
      INSERT INTO ${sourceTable('behaviours')} FROM old ORDER BY item_id DESC, event_ts DESC`,
        1,
        4,
      ),
    ).toEqual(rows);
    const other = await retrieved('', 2, 4);
    const requestsOf = (found: Rows) => [...new Set(found.map((row) => row.request_id))];
    expect(requestsOf(rows).length).toBeGreaterThan(599 / 4 - 50);
    expect(requestsOf(rows).length).toBeLessThan(599 / 4 + 50);
    expect(requestsOf(other)).not.toEqual(requestsOf(rows));
  });
});
