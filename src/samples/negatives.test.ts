/** Draws from the corpus, on tables made by SQL: what they are distributed as, and what they may never be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configOf } from '../../test/support/canonicalLogs.js';
import { Duckdb } from '../data/duckdb.js';
import { duckdb } from './dialect.js';
import { corpusViews, drawViews } from './negatives.js';
import { statementOf } from './script.js';

let db: Duckdb;
beforeAll(async () => {
  db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder: '/nonexistent' });
});
afterAll(() => db.close());

const beginning = -62135596800000;
const end = 253402300799999;

interface Corpus {
  /** SELECT request_id, ts, dt */
  readonly requests: string;
  /** SELECT item_id, start_ts, end_ts */
  readonly items: string;
  /** SELECT request_id, item_id */
  readonly candidates?: string;
  /** SELECT dt, item_id, n_pos */
  readonly frequency?: string;
}

async function draw(corpus: Corpus, negatives: readonly unknown[], seed = 1): Promise<void> {
  const none = `SELECT 0 AS request_id, 0 AS item_id WHERE FALSE`;
  await db.run(`CREATE OR REPLACE TEMPORARY TABLE b_requests AS ${corpus.requests}`);
  await db.run(`CREATE OR REPLACE TEMPORARY VIEW b_chunk AS SELECT * FROM b_requests`);
  await db.run(`CREATE OR REPLACE TEMPORARY TABLE item_log AS ${corpus.items}`);
  await db.run(`CREATE OR REPLACE TEMPORARY TABLE candidate_log AS ${corpus.candidates ?? none}`);
  await db.run(
    `CREATE OR REPLACE TEMPORARY TABLE item_frequency AS ${corpus.frequency ?? `SELECT '' AS dt, 0 AS item_id, 0 AS n_pos WHERE FALSE`}`,
  );
  const { samples } = configOf({ samples: { b: { negatives } } });
  const settings = { ...samples, seed };
  for (const view of [...corpusViews(duckdb, settings), ...drawViews(duckdb, settings)])
    await db.run(statementOf(duckdb, view));
}

const always = (n: number) =>
  `SELECT range AS item_id, ${beginning} AS start_ts, ${end} AS end_ts FROM range(${n})`;
const requestsAt = (n: number, ts: string) =>
  `SELECT range AS request_id, ${ts} AS ts, '2024-01-02' AS dt FROM range(${n})`;

/** Sum of (observed - expected)^2 / expected, by item; `shares` are the expected shares of items 0, 1, … */
async function chiSquare(
  table: string,
  shares: readonly number[],
): Promise<{ statistic: number; draws: number }> {
  const rows = await db.rows(`SELECT item_id, count(*) AS n FROM ${table} GROUP BY item_id`);
  const counts = new Map(rows.map((row) => [Number(row.item_id), Number(row.n)]));
  const draws = [...counts.values()].reduce((sum, n) => sum + n, 0);
  const statistic = shares.reduce(
    (sum, q, i) => sum + ((counts.get(i) ?? 0) - draws * q) ** 2 / (draws * q),
    0,
  );
  return { statistic, draws };
}

/** 99.9 % points of chi-square. */
const critical = { 3: 16.27, 99: 148.23 };

describe('uniform negatives', () => {
  it('are uniform: 100,000 draws from 100 items', async () => {
    await draw({ requests: requestsAt(100_000, '0'), items: always(100) }, [
      { kind: 'uniform', per_request: 1 },
    ]);
    const { statistic, draws } = await chiSquare('drawn_0', new Array<number>(100).fill(0.01));
    expect(draws).toBe(100_000);
    expect(statistic).toBeLessThan(critical[99]);
    expect(statistic).toBeGreaterThan(50); // not evener than chance
    expect(await db.number(`SELECT count(*) FROM drawn_0 WHERE draw_prob <> 1e0 / 100`)).toBe(0);
  });

  it('are uniform over what remains when candidates are thrown away, and never a candidate', async () => {
    await draw(
      {
        requests: requestsAt(40_000, '0'),
        items: always(5),
        candidates: `SELECT range AS request_id, 4 AS item_id FROM range(40000)`,
      },
      [{ kind: 'uniform', per_request: 1 }],
    );
    const { statistic, draws } = await chiSquare('drawn_0', [0.25, 0.25, 0.25, 0.25]);
    expect(draws).toBe(40_000);
    expect(statistic).toBeLessThan(critical[3]);
    expect(await db.number('SELECT count(*) FROM drawn_0 WHERE item_id = 4')).toBe(0);
  });

  it('are valid at the time of the request, from the very moment of their start up to their end', async () => {
    const day = 86_400_000;
    // Item i starts at 12:00 of day i and ends two days and an hour later; some never start before they end.
    await draw(
      {
        requests: requestsAt(2000, `${day} * (range % 9) + 1800000 * (range % 47)`),
        items: `
          SELECT range AS item_id, ${day} * (range % 8) + ${day / 2} AS start_ts,
                 CASE WHEN range % 11 = 0 THEN ${day} * (range % 8) ELSE ${day} * (range % 8 + 2) + ${day / 2 + 3_600_000} END AS end_ts
          FROM range(80)`,
      },
      [{ kind: 'uniform', per_request: 4 }],
    );
    const valid = 'i.start_ts <= r.ts AND r.ts < i.end_ts';
    const joined = `drawn_0 d JOIN b_requests r ON r.request_id = d.request_id JOIN item_log i ON i.item_id = d.item_id`;
    expect(await db.number(`SELECT count(*) FROM ${joined} WHERE NOT (${valid})`)).toBe(0);
    // draw_prob is one over the items that are valid at that very time, counted the slow way
    const slow = `(SELECT count(*) FROM item_log i WHERE ${valid})`;
    const wrong = `SELECT count(*) FROM drawn_0 d JOIN b_requests r ON r.request_id = d.request_id WHERE draw_prob <> 1e0 / ${slow}`;
    expect(await db.number(wrong)).toBe(0);
    // and every request that has a valid item gets one
    const without = `SELECT count(*) FROM b_requests r WHERE ${slow} > 0 AND request_id NOT IN (SELECT request_id FROM drawn_0)`;
    expect(await db.number(without)).toBe(0);
    expect(await db.number('SELECT count(*) FROM drawn_0')).toBeGreaterThan(6000);
  });
});

describe('popularity negatives', () => {
  const frequency = `
    SELECT * FROM (VALUES ('2024-01-02', 0, 100), ('2024-01-02', 1, 50), ('2024-01-02', 2, 10), ('2024-01-02', 3, 1),
                          ('2024-01-03', 9, 5)) AS t(dt, item_id, n_pos)`;

  it.each([
    // The first two are those of sample-construction.md 11.3, the others the same formula.
    [1, [0.621118, 0.310559, 0.062112, 0.006211]],
    [0.75, [0.554307, 0.329593, 0.098571, 0.017529]],
    [0.5, [0.470957, 0.333017, 0.14893, 0.047096]],
    [0.25, [0.367719, 0.309214, 0.206784, 0.116283]],
  ])('with power %d are drawn in proportion to count^power', async (power, shares) => {
    await draw({ requests: requestsAt(50_000, '0'), items: always(10), frequency }, [
      { kind: 'popularity', per_request: 1, power },
    ]);
    const rows = await db.rows('SELECT DISTINCT item_id, draw_prob FROM drawn_0 ORDER BY item_id');
    expect(rows.map((row) => row.item_id)).toEqual([0, 1, 2, 3]);
    rows.forEach((row, i) => {
      expect(Number(row.draw_prob)).toBeCloseTo(shares[i]!, 6);
    });
    const { statistic, draws } = await chiSquare('drawn_0', shares);
    expect(draws).toBe(50_000);
    expect(statistic).toBeLessThan(critical[3]);
  });

  it('know the counts of their own day only, and are none where the day has none', async () => {
    const requests = `
      SELECT * FROM (VALUES (1, 0, '2024-01-01'), (2, 0, '2024-01-02'), (3, 0, '2024-01-03')) AS t(request_id, ts, dt)`;
    await draw({ requests, items: always(10), frequency }, [{ kind: 'popularity', per_request: 2 }]);
    const rows = await db.rows(
      'SELECT request_id, count(*) AS n, max(item_id) AS last FROM drawn_0 GROUP BY request_id ORDER BY 1',
    );
    expect(rows.map(({ request_id, n }) => [request_id, n])).toEqual([
      [2, 2n],
      [3, 1n],
    ]);
    expect(Number(rows[0]!.last)).toBeLessThan(4);
    expect(Number(rows[1]!.last)).toBe(9);
  });

  it('are valid at the time of the request', async () => {
    const items = `
      SELECT * FROM (VALUES (0, 10, ${end}), (1, ${beginning}, 5), (2, 5, 6), (3, ${beginning}, ${end})) AS t(item_id, start_ts, end_ts)`;
    await draw({ requests: requestsAt(200, '5'), items, frequency }, [
      { kind: 'popularity', per_request: 2 },
    ]);
    const rows = await db.rows('SELECT DISTINCT item_id FROM drawn_0 ORDER BY item_id');
    expect(rows.map((row) => row.item_id)).toEqual([2, 3]);
  });
});

describe('negatives of several kinds', () => {
  const kinds = [
    { kind: 'uniform', per_request: 3 },
    { kind: 'popularity', per_request: 3, power: 1 },
    { kind: 'uniform', per_request: 2 },
  ];
  const corpus = {
    requests: requestsAt(500, '0'),
    items: always(12),
    frequency: `SELECT '2024-01-02' AS dt, range AS item_id, 1 + range AS n_pos FROM range(12)`,
    candidates: `SELECT range AS request_id, range % 12 AS item_id FROM range(500)`,
  };
  const all = `SELECT * FROM drawn_0 UNION ALL SELECT * FROM drawn_1 UNION ALL SELECT * FROM drawn_2`;

  it('give each request what was asked for, every item once', async () => {
    await draw(corpus, kinds);
    const distinct = `SELECT count(*) FROM (SELECT DISTINCT request_id, item_id FROM (${all}))`;
    expect(await db.number(`SELECT count(*) FROM (${all})`)).toBe(500 * 8);
    expect(await db.number(distinct)).toBe(500 * 8);
  });

  it('are other draws for another seed, and the same for the same', async () => {
    await draw(corpus, kinds);
    const first = await db.rows(`${all} ORDER BY ALL`);
    await draw(corpus, kinds);
    expect(await db.rows(`${all} ORDER BY ALL`)).toEqual(first);
    await draw(corpus, kinds, 2);
    expect(await db.rows(`${all} ORDER BY ALL`)).not.toEqual(first);
  });

  it('are as many as there are when too few are left, and none of an empty corpus', async () => {
    await draw({ ...corpus, items: always(4) }, kinds);
    expect(
      await db.number(`SELECT max(n) FROM (SELECT count(*) AS n FROM (${all}) GROUP BY request_id)`),
    ).toBe(4);
    await draw({ ...corpus, items: `${always(1)} WHERE FALSE` }, kinds);
    expect(await db.number(`SELECT count(*) FROM (${all})`)).toBe(0);
  });
});
