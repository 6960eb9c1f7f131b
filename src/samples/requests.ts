/**
 * Which requests are used, and in which split: a request is used once its labels are ready, that is when the log reaches past its
 * attribution window; the log's end is its last request. Days are compared as text (YYYY-MM-DD), so a split is a range of `dt`.
 */
import { eventTypes } from '../logs/tables.js';
import type { Dialect } from './dialect.js';
import {
  onceInRanges,
  within,
  type LogFiles,
  type ScriptSettings,
  type SplitDays,
  type View,
} from './settings.js';

/** Before every time and after every time. */
const beginning = 'CAST(-62135596800000 AS BIGINT)';
const end = 'CAST(253402300799999 AS BIGINT)';

/** The columns that samples are built from, with ids, times and numbers of the types that all later views count on. */
export function sourceViews(dialect: Dialect, settings: ScriptSettings, files: LogFiles): View[] {
  const { epochMs } = dialect;
  const from = (table: keyof LogFiles) => `FROM ${dialect.parquet(files[table])}`;
  return [
    {
      name: 'request_log',
      query: `SELECT request_id, user_id, ${epochMs('request_ts')} AS ts, dt ${from('requests')}`,
    },
    {
      name: 'candidate_log',
      query: `
        SELECT request_id, item_id, CAST(stage_reached AS INT) AS stage, exposed, forced, rank_rank,
               CAST(incl_prob AS DOUBLE) AS incl_prob
        ${from('candidates')}`,
    },
    {
      name: 'feedback_log',
      query: `
        SELECT request_id, item_id, CAST(${dialect.column(settings.label)} AS INT) AS label,
               ${epochMs('label_ready_ts')} AS ready_ts
        ${from('feedback')}`,
    },
    {
      name: 'behaviour_log',
      query: `
        SELECT user_id, item_id, request_id, ${epochMs('event_ts')} AS ts, CAST(event_type AS INT) AS event_type
        ${from('behaviours')}
        WHERE event_type IN (${settings.sequence.events.map((event) => eventTypes[event]).join(', ')})`,
    },
    {
      name: 'item_log',
      query: `
        SELECT item_id,
               greatest(coalesce(${epochMs('publish_ts')}, ${beginning}), coalesce(${epochMs('valid_from')}, ${beginning})) AS start_ts,
               coalesce(${epochMs('valid_to')}, ${end}) AS end_ts
        ${from('items')}`,
    },
  ];
}

export const readyViews = (): View[] => [
  onceInRanges(
    'ready_requests',
    'requests',
    ['request_id'],
    (range) => `
      SELECT r.request_id, r.user_id, r.ts, r.dt
      FROM request_log r
      CROSS JOIN (SELECT max(ts) AS built_ts FROM request_log) b
      LEFT JOIN (
        SELECT request_id, max(ready_ts) AS ready_ts
        FROM feedback_log
        WHERE ${within(range, 'request_id')}
        GROUP BY request_id
      ) f ON f.request_id = r.request_id
      WHERE ${within(range, 'r.request_id')} AND (f.ready_ts IS NULL OR f.ready_ts <= b.built_ts)`,
  ),
];

export const requestViews = ({ validationFrom, testFrom }: SplitDays): View[] => [
  {
    name: 'used_requests',
    query: `
      SELECT request_id, user_id, ts, dt,
             CASE WHEN dt < '${validationFrom}' THEN 0 WHEN dt < '${testFrom}' THEN 1 ELSE 2 END AS split
      FROM ready_requests`,
  },
];
