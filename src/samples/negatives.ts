/**
 * Negatives drawn from the corpus for the requests of set B (sample-construction.md 6.3, 6.6): never a logged candidate of the
 * request, each item once, only items that are valid at the request's time. A kind draws with replacement more often than it needs,
 * throws away what may not be kept, and keeps the first `per_request`; where too few remain, a request gets fewer.
 *
 * Each kind i leaves a table `drawn_<i>`: request_id, item_id, negative_kind, draw_prob. `draw_prob` is the probability of the item
 * in one draw of its kind: uniform, 1 / items valid at that time; popularity, count^power / sum of count^power. Candidates are thrown
 * away after the draw and do not change it, nor, for popularity, do items that are not valid.
 */
import { internal } from '../errors.js';
import type { Dialect } from './dialect.js';
import { negativeKinds } from './rows.js';
import type { ScriptSettings, View } from './settings.js';

type Negatives = ScriptSettings['b']['negatives'][number];

const day = 24 * 3600 * 1000;

/** Draws per request: enough that throwing away candidates and repeats rarely leaves too few. */
const draws = (perRequest: number) => 2 * perRequest + 16;
/** How many times as many there may be where most items that have started have ended. */
const mostDraws = 16;

/** What is drawn from. */
export function corpusViews(dialect: Dialect, { b }: ScriptSettings): View[] {
  const views = b.negatives.flatMap((negatives, i) =>
    negatives.kind === 'popularity' ? popularityViews(dialect, negatives, i) : [],
  );
  return b.negatives.some(({ kind }) => kind === 'uniform') ? [...validItemViews(), ...views] : views;
}

/** What is drawn for the requests of `b_chunk`. */
export const drawViews = (dialect: Dialect, { seed, b }: ScriptSettings): View[] => [
  {
    name: 'b_candidates',
    query:
      'SELECT c.request_id, c.item_id FROM candidate_log c JOIN b_chunk r ON r.request_id = c.request_id',
  },
  ...b.negatives.flatMap((negatives, i) => [
    negatives.kind === 'uniform'
      ? uniformDraws(dialect, negatives, seed, i)
      : popularityDraws(dialect, negatives, seed, i),
    keptDraws(negatives, i),
  ]),
];

/** The first `per_request` draws that are no candidate, not kept by an earlier kind, and not drawn before. */
function keptDraws({ kind, perRequest }: Negatives, i: number): View {
  const earlier = Array.from(
    { length: i },
    (_, j) =>
      `AND NOT EXISTS (SELECT 1 FROM drawn_${j} e WHERE e.request_id = d.request_id AND e.item_id = d.item_id)`,
  );
  return {
    name: `drawn_${i}`,
    once: true,
    query: `
      SELECT request_id, item_id, ${negativeKinds[kind]} AS negative_kind, draw_prob
      FROM (
        SELECT request_id, item_id, draw_prob, row_number() OVER (PARTITION BY request_id ORDER BY k) AS place
        FROM (
          SELECT d.request_id, d.item_id, min(d.k) AS k, max(d.draw_prob) AS draw_prob
          FROM draws_${i} d
          WHERE NOT EXISTS (SELECT 1 FROM b_candidates c WHERE c.request_id = d.request_id AND c.item_id = d.item_id)
          ${earlier.join('\n')}
          GROUP BY d.request_id, d.item_id
        ) x
      ) y
      WHERE place <= ${perRequest}`,
  };
}

// -------------------------------------------------------------------------------------------------------------- uniform

/**
 * How many items had started, and how many were valid, at each request's time. Starts and ends are counted per day and then within
 * the day, so that no window spans the whole log.
 */
const validItemViews = (): View[] => [
  {
    name: 'item_changes',
    query: `
      SELECT start_ts AS ts, start_ts - start_ts % ${day} AS day_ts, 1 AS started, 1 AS valid FROM item_log
      UNION ALL
      SELECT ts, ts - ts % ${day} AS day_ts, 0 AS started, -1 AS valid
      FROM (SELECT greatest(start_ts, end_ts) AS ts FROM item_log) e`,
  },
  {
    name: 'items_before_day',
    query: `
      SELECT day_ts,
             CAST(sum(started) OVER (ORDER BY day_ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) - started AS started,
             CAST(sum(valid) OVER (ORDER BY day_ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) - valid AS valid
      FROM (
        SELECT day_ts, CAST(sum(started) AS BIGINT) AS started, CAST(sum(valid) AS BIGINT) AS valid
        FROM (
          SELECT day_ts, started, valid FROM item_changes
          UNION ALL
          SELECT DISTINCT ts - ts % ${day} AS day_ts, 0 AS started, 0 AS valid FROM b_requests
        ) c
        GROUP BY day_ts
      ) d`,
  },
  {
    name: 'items_at_request',
    once: true,
    order: ['request_id'],
    query: `
      SELECT w.request_id, w.ts, b.started + w.started AS n_started, b.valid + w.valid AS n_valid
      FROM (
        SELECT kind, request_id, ts, day_ts,
               CAST(sum(started) OVER (PARTITION BY day_ts ORDER BY ts, kind
                                       ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS started,
               CAST(sum(valid) OVER (PARTITION BY day_ts ORDER BY ts, kind
                                     ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS valid
        FROM (
          SELECT 0 AS kind, CAST(NULL AS BIGINT) AS request_id, ts, day_ts, started, valid FROM item_changes
          UNION ALL
          SELECT 1 AS kind, request_id, ts, ts - ts % ${day} AS day_ts, 0 AS started, 0 AS valid FROM b_requests
        ) u
      ) w
      JOIN items_before_day b ON b.day_ts = w.day_ts
      WHERE w.kind = 1`,
  },
  {
    name: 'items_by_start',
    once: true,
    query: `
      SELECT item_id, end_ts, CAST(row_number() OVER (ORDER BY start_ts, item_id) AS BIGINT) - 1 AS place FROM item_log`,
  },
];

/**
 * A place among the items that had started, which is uniform; those that have ended are thrown away, which leaves it so. The fewer
 * are left, the more places are drawn.
 */
function uniformDraws({ hash }: Dialect, { perRequest }: Negatives, seed: number, i: number): View {
  const most = mostDraws * draws(perRequest);
  return {
    name: `draws_${i}`,
    query: `
      SELECT d.request_id, s.item_id, d.k, 1e0 / CAST(d.n_valid AS DOUBLE) AS draw_prob
      FROM (
        SELECT r.request_id, r.ts, r.n_valid, g.k,
               ${hash(`concat_ws(':', 'negative', ${seed}, ${i}, r.request_id, g.k)`)} % r.n_started AS place
        FROM (
          SELECT a.request_id, a.ts, a.n_valid, a.n_started,
                 CAST(least(floor(CAST(${draws(perRequest)} * a.n_started AS DOUBLE) / CAST(a.n_valid AS DOUBLE)), ${most}e0) AS BIGINT) AS n_draws
          FROM items_at_request a
          JOIN b_chunk b ON b.request_id = a.request_id
          WHERE a.n_valid > 0
        ) r
        JOIN range(0, ${most}) AS g(k) ON g.k < r.n_draws
      ) d
      JOIN items_by_start s ON s.place = d.place
      WHERE s.end_ts > d.ts`,
  };
}

// ----------------------------------------------------------------------------------------------------------- popularity

/** count^power as a whole number of millionths: square roots are exact on every engine, powers are not. */
function weight(power: number): string {
  const n = 'CAST(n_pos AS DOUBLE)';
  switch (power) {
    case 0.25:
      return `sqrt(sqrt(${n}))`;
    case 0.5:
      return `sqrt(${n})`;
    case 0.75:
      return `sqrt(${n}) * sqrt(sqrt(${n}))`;
    case 1:
      return n;
    default:
      return internal(`no exact weight for power ${power}`);
  }
}

/**
 * A point in the running sum of the day's weights, found by an equi-join: the sum is cut into buckets as wide as the mean weight, and
 * each item is listed in every bucket that it reaches into.
 */
function popularityViews(
  { series }: Dialect,
  negatives: Extract<Negatives, { kind: 'popularity' }>,
  i: number,
): View[] {
  return [
    {
      name: `weights_${i}`,
      query: `
        SELECT dt, item_id, CAST(floor(1e6 * (${weight(negatives.power)})) AS BIGINT) AS w FROM item_frequency`,
    },
    {
      name: `totals_${i}`,
      query: `
        SELECT dt, CAST(sum(w) AS BIGINT) AS total,
               CAST(floor(CAST(sum(w) AS DOUBLE) / CAST(count(*) AS DOUBLE)) AS BIGINT) + 1 AS width
        FROM weights_${i}
        GROUP BY dt`,
    },
    {
      name: `buckets_${i}`,
      once: true,
      query: `
        SELECT c.dt, c.item_id, c.w, c.hi - c.w AS lo, c.hi,
               ${series('(c.hi - c.w) - (c.hi - c.w) % t.width', 'c.hi - 1', 't.width')} AS bucket
        FROM (
          SELECT dt, item_id, w,
                 CAST(sum(w) OVER (PARTITION BY dt ORDER BY item_id
                                   ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS hi
          FROM weights_${i}
        ) c
        JOIN totals_${i} t ON t.dt = c.dt`,
    },
  ];
}

function popularityDraws({ hash }: Dialect, { perRequest }: Negatives, seed: number, i: number): View {
  return {
    name: `draws_${i}`,
    query: `
      SELECT d.request_id, s.item_id, d.k, CAST(s.w AS DOUBLE) / CAST(d.total AS DOUBLE) AS draw_prob
      FROM (
        SELECT request_id, ts, dt, k, total, u, u - u % width AS bucket
        FROM (
          SELECT r.request_id, r.ts, r.dt, g.k, t.total, t.width,
                 ${hash(`concat_ws(':', 'negative', ${seed}, ${i}, r.request_id, g.k)`)} % t.total AS u
          FROM b_chunk r
          JOIN totals_${i} t ON t.dt = r.dt
          CROSS JOIN range(0, ${draws(perRequest)}) AS g(k)
        ) p
      ) d
      JOIN buckets_${i} s ON s.dt = d.dt AND s.bucket = d.bucket AND d.u >= s.lo AND d.u < s.hi
      JOIN item_log v ON v.item_id = s.item_id AND v.start_ts <= d.ts AND v.end_ts > d.ts`,
  };
}
