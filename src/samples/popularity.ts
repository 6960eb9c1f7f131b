/**
 * How often each item was a positive before a day: training days strictly before `dt` only, so that neither the day itself nor any
 * validation or test day is counted (sample-construction.md 3.5, 8.2).
 */
import { onceInRanges, within, type View } from './settings.js';

export const popularityViews = (): View[] => [
  onceInRanges(
    'positives',
    'requests',
    [],
    (range) => `
      SELECT e.dt, e.item_id, count(*) AS n
      FROM exposures e
      JOIN feedback_log f ON f.request_id = e.request_id AND f.item_id = e.item_id
      WHERE ${within(range, 'e.request_id')} AND e.split = 0 AND f.label = 1
      GROUP BY e.dt, e.item_id`,
  ),
  {
    name: 'item_frequency',
    once: true,
    query: `
      SELECT d.dt, p.item_id, CAST(sum(p.n) AS BIGINT) AS n_pos
      FROM (SELECT DISTINCT dt FROM used_requests) d
      JOIN positives p ON p.dt < d.dt
      GROUP BY d.dt, p.item_id`,
  },
];

/** dt, item_id, n_pos and the day's total; shares and their logarithms are taken outside of SQL, whose last bits differ. */
export const itemFrequencyRows = () => `
  SELECT dt, item_id, n_pos, CAST(sum(n_pos) OVER (PARTITION BY dt) AS BIGINT) AS total
  FROM item_frequency
  ORDER BY dt, item_id`;
