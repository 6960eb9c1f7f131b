/**
 * Set A: what was shown, with honest labels; forced items too (sample-construction.md 5.1). An exposure without a feedback row has
 * label 0. Every row counts once: weight 1.
 */
import { isIn, type Chunk } from './chunks.js';
import { inOrder, negativeKinds } from './rows.js';
import type { View } from './settings.js';

export const exposureViews = (): View[] => [
  {
    name: 'exposures',
    query: `
      SELECT r.split, r.request_id, r.user_id, r.ts, r.dt, c.item_id, c.stage, c.incl_prob
      FROM candidate_log c
      JOIN used_requests r ON r.request_id = c.request_id
      WHERE c.exposed`,
  },
];

export const exposureRows = (chunk?: Chunk) =>
  inOrder(`
    SELECT e.split, e.request_id, e.user_id, e.ts, e.dt, n.n_behaviours, e.item_id, coalesce(f.label, 0) AS label,
           TRUE AS exposed, e.stage,
           CASE WHEN f.label = 1 THEN ${negativeKinds.none} ELSE ${negativeKinds.shown_not_clicked} END AS negative_kind,
           1e0 AS weight, e.incl_prob, CAST(NULL AS DOUBLE) AS draw_prob
    FROM exposures e
    JOIN request_behaviours n ON n.request_id = e.request_id
    LEFT JOIN feedback_log f ON f.request_id = e.request_id AND f.item_id = e.item_id
    WHERE ${isIn(chunk, 'e')}`);
