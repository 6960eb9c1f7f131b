/**
 * The relations that features are fitted on and encoded from: every user, used request and item with its attributes and how often
 * it counts in training. This is after the portable part: DuckDB's own SQL.
 *
 * A user or item that only the logs know, not its table, is there with null attributes.
 */
import { parquetSource } from '../data/parquet.js';
import type { FeatureSource } from '../data/features.js';
import { trainingCount } from '../data/featureColumns.js';

/** Where each source's features are read from; keyed by user_id, request_id, item_id. */
export const featureRelations: Readonly<Record<FeatureSource, string>> = {
  users: 'feature_users',
  requests: 'feature_requests',
  items: 'feature_items',
};

export function featureViews(files: Readonly<Record<FeatureSource, readonly string[]>>): string[] {
  return [
    `CREATE TEMPORARY VIEW training_exposures AS SELECT request_id, user_id, item_id FROM exposures WHERE split = 0`,
    `CREATE TEMPORARY VIEW training_requests AS SELECT DISTINCT request_id, user_id FROM training_exposures`,
    `CREATE TEMPORARY TABLE feature_users AS
     SELECT k.user_id, coalesce(n.${trainingCount}, 0) AS ${trainingCount}, u.* EXCLUDE (user_id)
     FROM (
       SELECT user_id FROM ${parquetSource(files.users)} UNION SELECT user_id FROM request_log
     ) k
     LEFT JOIN ${parquetSource(files.users)} u ON u.user_id = k.user_id
     LEFT JOIN (SELECT user_id, count(*) AS ${trainingCount} FROM training_requests GROUP BY user_id) n ON n.user_id = k.user_id`,
    `CREATE TEMPORARY TABLE feature_items AS
     SELECT k.item_id, coalesce(n.${trainingCount}, 0) AS ${trainingCount}, i.* EXCLUDE (item_id)
     FROM (
       SELECT item_id FROM ${parquetSource(files.items)}
       UNION SELECT item_id FROM candidate_log
       UNION SELECT item_id FROM sequence_events
     ) k
     LEFT JOIN ${parquetSource(files.items)} i ON i.item_id = k.item_id
     LEFT JOIN (SELECT item_id, count(*) AS ${trainingCount} FROM training_exposures GROUP BY item_id) n ON n.item_id = k.item_id`,
    `CREATE TEMPORARY VIEW feature_requests AS
     SELECT r.*, CASE WHEN t.request_id IS NULL THEN 0 ELSE 1 END AS ${trainingCount}
     FROM ${parquetSource(files.requests)} r
     JOIN used_requests s ON s.request_id = r.request_id
     LEFT JOIN training_requests t ON t.request_id = r.request_id`,
  ];
}
