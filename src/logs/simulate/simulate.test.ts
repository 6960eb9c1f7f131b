import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { runLogs, type LogsRun } from '../../../test/support/logsRuns.js';

const small = {
  kind: 'simulate',
  users: 250,
  items: 400,
  days: 5,
  groups: 20,
  categories: 5,
  retrieved: 24,
  preranked: 12,
  ranked: 8,
  exposed: 4,
};

describe('the simulated log', () => {
  let run: LogsRun;
  beforeAll(async () => {
    run = await runLogs(small);
  });

  it('is the same to the byte for the same settings and seed, however many threads write it', async () => {
    const again = await runLogs(small, { threads: 2 });
    expect(again.result).toEqual(run.result);
    expect(again.stage.outputs.map(({ path, sha256 }) => [path, sha256])).toEqual(
      run.stage.outputs.map(({ path, sha256 }) => [path, sha256]),
    );
    const other = await runLogs(small, { seed: 2 });
    for (const table of ['requests', 'candidates', 'feedback', 'behaviours', 'items', 'users', 'truth']) {
      expect(await readFile(other.path(table)), table).not.toEqual(await readFile(run.path(table)));
    }
  });

  it('numbers requests in the order of time, on the days of the config', async () => {
    expect(
      await run.number(
        'SELECT count(*) FROM (SELECT request_ts < lag(request_ts) OVER (ORDER BY request_id) AS wrong FROM requests) WHERE wrong',
      ),
    ).toBe(0);
    expect(await run.rows('SELECT DISTINCT dt FROM requests ORDER BY dt')).toEqual(
      [1, 2, 3, 4, 5].map((day) => ({ dt: `2024-01-0${day}` })),
    );
    expect(
      await run.number(
        "SELECT count(*) FROM requests WHERE dt <> strftime(request_ts, '%Y-%m-%d') OR ctx_hour <> hour(request_ts)",
      ),
    ).toBe(0);
  });

  it('logs the whole funnel: every stage passes on its best, and the sizes are those of the requests', async () => {
    const counts = await run.rows(`
      SELECT n_retrieved = count(*) FILTER (NOT forced) AND n_preranked = count(*) FILTER (rank_rank IS NOT NULL)
             AND n_ranked = count(*) FILTER (stage_reached >= 4 AND NOT forced) AND n_exposed = count(*) FILTER (exposed) AS fits, count(*) AS n
      FROM requests JOIN candidates USING (request_id) GROUP BY request_id, n_retrieved, n_preranked, n_ranked, n_exposed`);
    expect(counts.every((row) => row.fits === true)).toBe(true);
    const wrong = await run.number(`
      SELECT count(*) FROM candidates
      WHERE NOT forced AND (prerank_rank IS NULL OR retrieval_rank IS NULL
        OR (prerank_rank <= 12) <> (rank_rank IS NOT NULL) OR (rank_rank IS NULL AND stage_reached <> 1)
        OR (rank_rank > 8 AND stage_reached <> 3) OR (rank_rank <= 8 AND stage_reached NOT IN (4, 6))
        OR exposed <> (expose_pos IS NOT NULL))`);
    expect(wrong).toBe(0);
    for (const rank of ['prerank', 'rank']) {
      const outOfOrder = await run.number(`
        SELECT count(*) FROM (SELECT ${rank}_score > lag(${rank}_score) OVER (PARTITION BY request_id ORDER BY ${rank}_rank) AS wrong
                              FROM candidates WHERE ${rank}_rank IS NOT NULL) WHERE wrong`);
      expect(outOfOrder, rank).toBe(0);
    }
  });

  it('shows the best of the ranker, except where it explores', async () => {
    const shownByRank = `SELECT bool_and(rank_rank <= 4) AS best FROM candidates JOIN requests USING (request_id)
                         WHERE exposed AND NOT forced`;
    expect(await run.rows(`${shownByRank} AND NOT exploration`)).toEqual([{ best: true }]);
    expect(await run.rows(`${shownByRank} AND exploration`)).toEqual([{ best: false }]);
  });

  it('has a few forced exposures, which no stage of the funnel has seen', async () => {
    expect(
      await run.rows(`SELECT DISTINCT exposed, stage_reached, retrieval_channels, retrieval_rank, prerank_rank, rank_rank
                      FROM candidates WHERE forced`),
    ).toEqual([
      {
        exposed: true,
        stage_reached: 6,
        retrieval_channels: null,
        retrieval_rank: null,
        prerank_rank: null,
        rank_rank: null,
      },
    ]);
    const share = await run.number(
      'SELECT count(*) FILTER (forced) / count(DISTINCT request_id) FROM candidates',
    );
    expect(share).toBeGreaterThan(0.005);
    expect(share).toBeLessThan(0.03);
  });

  it('has feedback for what was exposed and nothing else, and a behaviour for every exposure and click', async () => {
    expect(await run.number('SELECT count(*) FROM feedback')).toBe(
      await run.number('SELECT count(*) FROM candidates WHERE exposed'),
    );
    expect(
      await run.number(`SELECT count(*) FROM behaviours AS b JOIN requests AS r USING (request_id) JOIN feedback AS f USING (request_id, item_id)
                        WHERE b.user_id = r.user_id AND (event_type = 12 AND event_ts = request_ts
                                                         OR event_type = 1 AND event_ts = first_event_ts AND click = 1)`),
    ).toBe(await run.number('SELECT count(*) + sum(click) FROM feedback'));
    expect(
      await run.number(
        'SELECT count(*) FROM feedback JOIN requests USING (request_id) WHERE first_event_ts <= request_ts OR first_event_ts > label_ready_ts',
      ),
    ).toBe(0);
  });

  it('is over with one request of a user before the next begins', async () => {
    const overlaps = await run.number(`
      SELECT count(*) FROM behaviours AS b JOIN requests AS mine USING (request_id) JOIN requests AS next ON next.user_id = b.user_id
      WHERE next.request_id > mine.request_id AND next.request_ts <= b.event_ts`);
    expect(overlaps).toBe(0);
  });

  it('offers only items that are there, some of them new on the last days, and never what was clicked lately', async () => {
    expect(
      await run.number(`SELECT count(*) FROM candidates JOIN requests USING (request_id) JOIN items USING (item_id)
                        WHERE NOT (publish_ts <= request_ts AND (valid_to IS NULL OR request_ts < valid_to))`),
    ).toBe(0);
    expect(
      await run.number(`SELECT count(DISTINCT item_id) FROM candidates WHERE dt = '2024-01-05'
                        AND item_id NOT IN (SELECT item_id FROM candidates WHERE dt < '2024-01-05')`),
    ).toBeGreaterThan(0);
    expect(
      await run.number(`SELECT count(*) FROM candidates AS c JOIN requests AS r USING (request_id)
                        JOIN behaviours AS b ON b.user_id = r.user_id AND b.item_id = c.item_id AND b.event_type = 1
                        WHERE NOT c.forced AND b.event_ts < r.request_ts AND b.event_ts > r.request_ts - INTERVAL 3 DAY`),
    ).toBe(0);
  });

  it('has cold users, and histories before the first day', async () => {
    expect(run.result.data).toMatchObject({ users_without_history: expect.any(Number) as number });
    expect(await run.number("SELECT count(*) FROM behaviours WHERE event_ts < '2024-01-01'")).toBeGreaterThan(
      250 * 15,
    );
  });

  it('keeps the truth out of the logs', async () => {
    const columns = await run.rows(`
      SELECT column_name FROM (DESCRIBE requests) UNION SELECT column_name FROM (DESCRIBE candidates)
      UNION SELECT column_name FROM (DESCRIBE items) UNION SELECT column_name FROM (DESCRIBE users)`);
    const hidden = columns
      .map((row) => String(row.column_name))
      .filter((name) => /group|quality|taste|probab|style/.test(name));
    expect(hidden).toEqual([]);
    expect(await run.rows('SELECT column_name FROM (DESCRIBE truth)')).toEqual(
      ['request_id', 'item_id', 'click_probability', 'same_group_count', 'group_id'].map((column_name) => ({
        column_name,
      })),
    );
  });

  it('has a truth that follows from the behaviours before the request', async () => {
    // c of clickModel.ts, recomputed from the tables. The groups of the few items that were never a candidate are not known here.
    const wrong = await run.number(`
      WITH group_of AS (SELECT DISTINCT item_id, group_id FROM truth),
      latest AS (
        SELECT r.request_id, group_id, row_number() OVER (PARTITION BY r.request_id ORDER BY event_ts DESC) - 1 AS age
        FROM requests AS r JOIN behaviours AS b ON b.user_id = r.user_id AND b.event_ts < r.request_ts AND event_type = 1
        LEFT JOIN group_of ON group_of.item_id = b.item_id
        QUALIFY age < 50),
      counted AS (SELECT request_id, group_id, sum(pow(0.95, age)) AS count FROM latest GROUP BY ALL)
      SELECT count(*) FROM truth LEFT JOIN counted USING (request_id, group_id)
      WHERE request_id NOT IN (SELECT request_id FROM latest WHERE group_id IS NULL) AND abs(same_group_count - coalesce(counted.count, 0)) > 1e-9`);
    expect(wrong).toBe(0);
  });
});

describe('any settings', () => {
  const sizes = fc
    .record({
      users: fc.integer({ min: 1, max: 10 }),
      items: fc.integer({ min: 1, max: 60 }),
      days: fc.integer({ min: 3, max: 5 }),
      requests_per_user_day: fc.double({ min: 0.5, max: 40, noNaN: true }),
      groupShare: fc.double({ min: 0, max: 1, noNaN: true }),
      categoryShare: fc.double({ min: 0, max: 1, noNaN: true }),
      funnel: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 4, maxLength: 4 }),
    })
    .map(({ groupShare, categoryShare, funnel, ...size }) => {
      const groups = 1 + Math.floor(groupShare * (size.items - 1));
      const categories = 1 + Math.floor(categoryShare * (groups - 1));
      const [exposed, ranked, preranked, retrieved] = funnel.toSorted((a, b) => a - b);
      return { ...size, groups, categories, exposed, ranked, preranked, retrieved };
    })
    .map((size) => ({
      ...size,
      ranked: Math.max(2, size.ranked!),
      preranked: Math.max(3, size.preranked!),
      retrieved: Math.max(4, size.retrieved!),
    }));

  it('give a log that passes the checks, however small the catalogue', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(1000), async (size, seed) => {
        const run = await runLogs({ kind: 'simulate', ...size }, { seed });
        expect(await run.number('SELECT min(n_exposed) FROM requests')).toBeGreaterThan(0);
      }),
      { numRuns: 6, seed: 1 },
    );
  });
});

describe('a log that keeps only a share of the cut candidates', () => {
  it('stands for all of them by 1 / incl_prob', async () => {
    const config = { ...small, users: 500, candidate_log_share: 0.3 };
    const run = await runLogs(config);
    const [cut] = await run.rows(
      `SELECT count(*) AS rows, min(incl_prob) AS low, max(incl_prob) AS high FROM candidates WHERE stage_reached = 1`,
    );
    expect(cut).toMatchObject({ low: Math.fround(0.3), high: Math.fround(0.3) });
    const stood = await run.number('SELECT sum(1 / incl_prob) FROM candidates WHERE NOT forced');
    const all = await run.number('SELECT sum(n_retrieved) FROM requests');
    expect(Math.abs(stood / all - 1)).toBeLessThan(0.01);
    expect(await run.number('SELECT min(incl_prob) FROM candidates WHERE stage_reached > 1')).toBe(1);
    expect(
      await run.number(
        'SELECT count(*) FROM truth WHERE (request_id, item_id) NOT IN (SELECT (request_id, item_id) FROM candidates)',
      ),
    ).toBeGreaterThan(0);
  });
});

/** AUC of a score for the clicks on the exposures of the last two days. */
async function auc(run: LogsRun, score: string): Promise<number> {
  return run.number(`
    WITH days AS (SELECT DISTINCT dt FROM requests ORDER BY dt DESC LIMIT 2),
    clicks AS (
      SELECT b.user_id, b.event_ts, i.category_id, b.item_id FROM behaviours AS b JOIN items AS i USING (item_id) WHERE event_type = 1),
    shown AS (
      SELECT f.click, f.item_id, f.request_id, r.user_id, r.request_ts, i.category_id, t.click_probability, t.same_group_count
      FROM feedback AS f JOIN requests AS r USING (request_id) JOIN truth AS t USING (request_id, item_id) JOIN items AS i USING (item_id)
      WHERE f.dt IN (FROM days)),
    latest AS (
      SELECT r.request_id, c.category_id, row_number() OVER (PARTITION BY r.request_id ORDER BY c.event_ts DESC) AS place
      FROM (SELECT DISTINCT request_id, user_id, request_ts FROM shown) AS r
      JOIN clicks AS c ON c.user_id = r.user_id AND c.event_ts < r.request_ts QUALIFY place <= 50),
    categories AS (SELECT request_id, category_id, count(*) AS category_count FROM latest GROUP BY ALL),
    scored AS (SELECT click, ${score} AS score FROM shown LEFT JOIN categories USING (request_id, category_id)),
    ranked AS (SELECT click, rank() OVER (ORDER BY score) + (count(*) OVER (PARTITION BY score) - 1) / 2 AS place FROM scored)
    SELECT (sum(place) FILTER (click = 1) - sum(click) * (sum(click) + 1) / 2) / (sum(click) * (count(*) - sum(click))) FROM ranked`);
}

describe('the simulated world', () => {
  it('is decided by the behaviours of the hidden group, which categories do not tell', async () => {
    const run = await runLogs({ kind: 'simulate', users: 500, days: 8 });
    const clickRate = (run.result.data as { click_rate: number }).click_rate;
    expect(clickRate).toBeGreaterThan(0.1);
    expect(clickRate).toBeLessThan(0.25);
    const byGroup = await auc(run, 'same_group_count');
    const byCategory = await auc(run, 'coalesce(category_count, 0)');
    expect(await auc(run, 'click_probability')).toBeGreaterThan(0.8);
    expect(byGroup).toBeGreaterThan(0.75);
    expect(byCategory).toBeGreaterThan(0.6);
    expect(byCategory).toBeLessThan(byGroup - 0.07);
  });

  it('without target dependence is decided by quality and taste, and the group count tells nothing', async () => {
    const run = await runLogs({ kind: 'simulate', users: 500, days: 8, target_dependence: 0 });
    expect(Math.abs((await auc(run, 'same_group_count')) - 0.5)).toBeLessThan(0.03);
    expect(await auc(run, 'click_probability')).toBeGreaterThan(0.62);
  });
});
