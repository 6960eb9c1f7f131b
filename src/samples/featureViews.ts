/**
 * The relations that features are fitted on and encoded from: every user, used request and item with its attributes and how often
 * it counts in training. This is after the portable part: DuckDB's own SQL.
 *
 * A user or item that only the logs know, not its table, is there with null attributes.
 */
import { parquetSource } from '../data/parquet.js';
import type { FeatureSource } from '../data/features.js';
import { trainingCount } from '../data/featureColumns.js';
import { onceInRanges, within, type View } from './settings.js';

/** Where each source's features are read from; keyed by user_id, request_id, item_id. */
export const featureRelations: Readonly<Record<FeatureSource, string>> = {
  users: 'feature_users',
  requests: 'feature_requests',
  items: 'feature_items',
};

/** Tables that are computed of one range of requests after the other; what the views below are made of. */
export const featureTables = (files: Readonly<Record<FeatureSource, readonly string[]>>): View[] => [
  onceInRanges(
    'training_requests',
    'requests',
    ['request_id'],
    (range) => `
      SELECT DISTINCT request_id, user_id FROM exposures WHERE ${within(range, 'request_id')} AND split = 0`,
  ),
  onceInRanges(
    'training_items',
    'requests',
    [],
    (range) => `
      SELECT item_id, count(*) AS n FROM exposures WHERE ${within(range, 'request_id')} AND split = 0 GROUP BY item_id`,
  ),
  onceInRanges(
    featureRelations.requests,
    'requests',
    ['request_id'],
    (range) => `
      SELECT r.*, CASE WHEN t.request_id IS NULL THEN 0 ELSE 1 END AS ${trainingCount}
      FROM ${parquetSource(files.requests)} r
      JOIN used_requests s ON s.request_id = r.request_id
      LEFT JOIN training_requests t ON t.request_id = r.request_id
      WHERE ${within(range, 'r.request_id')}`,
  ),
];

/** Tables of users and items. */
export function featureStatements(files: Readonly<Record<FeatureSource, readonly string[]>>): string[] {
  return [
    `CREATE TEMPORARY TABLE ${featureRelations.users} AS
     SELECT k.user_id, coalesce(n.${trainingCount}, 0) AS ${trainingCount}, u.* EXCLUDE (user_id)
     FROM (
       SELECT user_id FROM ${parquetSource(files.users)} UNION SELECT user_id FROM request_log
     ) k
     LEFT JOIN ${parquetSource(files.users)} u ON u.user_id = k.user_id
     LEFT JOIN (SELECT user_id, count(*) AS ${trainingCount} FROM training_requests GROUP BY user_id) n ON n.user_id = k.user_id`,
    `CREATE TEMPORARY TABLE ${featureRelations.items} AS
     SELECT k.item_id, coalesce(n.${trainingCount}, 0) AS ${trainingCount}, i.* EXCLUDE (item_id)
     FROM (
       SELECT item_id FROM ${parquetSource(files.items)}
       UNION SELECT item_id FROM candidate_log
       UNION SELECT item_id FROM sequence_events
     ) k
     LEFT JOIN ${parquetSource(files.items)} i ON i.item_id = k.item_id
     LEFT JOIN (
       SELECT item_id, CAST(sum(n) AS BIGINT) AS ${trainingCount} FROM training_items GROUP BY item_id
     ) n ON n.item_id = k.item_id`,
  ];
}
