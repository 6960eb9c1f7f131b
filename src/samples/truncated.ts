/**
 * Set B: the space that the pre-ranker meets when it serves, with hard labels (sample-construction.md 5.2).
 *
 * R_r is every logged candidate that retrieval brought in: stage 1 or later, not forced. A candidate of stage 0 was cut by the
 * truncation of retrieval. Label = the exposure's label, 0 where not shown. A request needs two candidates.
 *
 * A list longer than `max_candidates` is capped (5.4): exposures and the ranker's top are kept for sure, the rest is a uniform draw
 * without replacement by md5. A drawn one's inclusion probability, drawn / rest, multiplies the one of the log; its weight is the
 * inverse, capped.
 */
import { stageReached } from '../logs/tables.js';
import { isIn, type Chunk } from './chunks.js';
import type { Dialect } from './dialect.js';
import { inOrder, negativeKinds } from './rows.js';
import { onceInRanges, within, type ScriptSettings, type View } from './settings.js';

export const truncatedViews = ({ hash }: Dialect, { seed, b }: ScriptSettings): View[] => [
  {
    name: 'b_lists',
    query: `
      SELECT r.split, r.request_id, r.user_id, r.ts, r.dt, c.n_logged
      FROM (
        SELECT request_id, count(*) AS n_logged
        FROM candidate_log
        WHERE stage >= ${stageReached.retrieved} AND NOT forced
        GROUP BY request_id
      ) c
      JOIN used_requests r ON r.request_id = c.request_id
      WHERE c.n_logged >= 2`,
  },
  onceInRanges(
    'b_requests',
    'requests',
    ['request_id'],
    (range) => `
      SELECT split, request_id, user_id, ts, dt, n_logged
      FROM b_lists
      WHERE ${within(range, 'request_id')} AND ${hash(`concat_ws(':', 'b_request', ${seed}, request_id)`)} % ${b.oneIn} = 0`,
  ),
];

/** What is made of the requests of a chunk. */
export const keptViews = ({ seed, b }: ScriptSettings, chunk?: Chunk): View[] => [
  {
    name: 'b_chunk',
    query: `SELECT r.split, r.request_id, r.user_id, r.ts, r.dt, r.n_logged FROM b_requests r WHERE ${isIn(chunk, 'r')}`,
  },
  {
    name: 'b_logged',
    query: `
      SELECT r.request_id, r.n_logged, c.item_id, c.stage, c.exposed, c.incl_prob,
             CASE WHEN c.exposed THEN coalesce(f.label, 0) ELSE 0 END AS label,
             CASE WHEN c.exposed OR coalesce(c.rank_rank <= ${b.rankedTop}, FALSE) THEN 1 ELSE 0 END AS sure
      FROM candidate_log c
      JOIN b_chunk r ON r.request_id = c.request_id
      LEFT JOIN feedback_log f ON f.request_id = c.request_id AND f.item_id = c.item_id
      WHERE c.stage >= ${stageReached.retrieved} AND NOT c.forced`,
  },
  {
    name: 'b_places',
    query: `
      SELECT request_id, n_logged, item_id, stage, exposed, incl_prob, label, sure,
             CAST(sum(sure) OVER (PARTITION BY request_id) AS BIGINT) AS n_sure,
             row_number() OVER (PARTITION BY request_id, sure
                                ORDER BY md5(concat_ws(':', 'b', ${seed}, request_id, item_id)), item_id) AS place
      FROM b_logged`,
  },
  {
    name: 'b_kept',
    once: true,
    query: `
      SELECT request_id, n_logged, n_sure, item_id, stage, exposed, label,
             CASE WHEN sure = 1 OR n_logged <= ${b.maxCandidates} THEN incl_prob
                  ELSE incl_prob * (CAST(${b.maxCandidates} - n_sure AS DOUBLE) / CAST(n_logged - n_sure AS DOUBLE))
             END AS incl_prob
      FROM b_places
      WHERE sure = 1 OR place <= ${b.maxCandidates} - n_sure`,
  },
];

export function truncatedRows(b: ScriptSettings['b']): string {
  const drawn = b.negatives.map(
    (_, i) => `
      UNION ALL
      SELECT request_id, item_id, 0 AS label, FALSE AS exposed, ${stageReached.corpus} AS stage, negative_kind,
             1e0 AS incl_prob, draw_prob
      FROM drawn_${i}`,
  );
  return inOrder(`
    SELECT r.split, r.request_id, r.user_id, r.ts, r.dt, n.n_behaviours, c.item_id, c.label, c.exposed, c.stage,
           c.negative_kind, least(1e0 / c.incl_prob, CAST(${b.weightCap} AS DOUBLE)) AS weight, c.incl_prob, c.draw_prob
    FROM (
      SELECT request_id, item_id, label, exposed, stage,
             CASE WHEN label = 1 THEN ${negativeKinds.none}
                  WHEN exposed THEN ${negativeKinds.shown_not_clicked}
                  WHEN stage >= ${stageReached.preranked} THEN ${negativeKinds.ranked_not_shown}
                  ELSE ${negativeKinds.cut_by_preranker} END AS negative_kind,
             incl_prob, CAST(NULL AS DOUBLE) AS draw_prob
      FROM b_kept
      ${drawn.join('')}
    ) c
    JOIN b_chunk r ON r.request_id = c.request_id
    JOIN request_behaviours n ON n.request_id = c.request_id`);
}
