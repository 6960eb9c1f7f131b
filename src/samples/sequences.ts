/**
 * Point-in-time sequences. A user's events are sorted once; what a request may see of them is a prefix, so that one number, how
 * many events came before, stands for the whole sequence.
 *
 * An event is seen when event_ts < request_ts - delay, strictly. An event that a request led to cannot be older than that request:
 * where the log says so (clocks of two machines) the request's time is taken, so that no request ever sees its own events.
 */
import type { Dialect } from './dialect.js';
import { onceInRanges, within, type ScriptSettings, type View } from './settings.js';

export const sequenceViews = ({ sequence }: ScriptSettings): View[] => [
  onceInRanges(
    'sequence_events',
    'users',
    sequenceOrder,
    (range) => `
      SELECT b.user_id, b.item_id, b.event_type, CASE WHEN r.ts > b.ts THEN r.ts ELSE b.ts END AS ts
      FROM behaviour_log b
      LEFT JOIN request_log r ON r.request_id = b.request_id
      WHERE ${within(range, 'b.user_id')}`,
  ),
  // As-of by a running count over requests (kind 0) and events (kind 1): at equal times requests come first, hence strictly before.
  onceInRanges(
    'request_behaviours',
    'users',
    ['request_id'],
    (range) => `
      SELECT request_id, CAST(n AS INT) AS n_behaviours
      FROM (
        SELECT kind, request_id,
               CAST(sum(kind) OVER (PARTITION BY user_id ORDER BY ts, kind
                                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS n
        FROM (
          SELECT 0 AS kind, request_id, user_id, ts - ${Math.round(sequence.delaySeconds * 1000)} AS ts
          FROM used_requests
          WHERE ${within(range, 'user_id')}
          UNION ALL
          SELECT 1 AS kind, CAST(NULL AS BIGINT) AS request_id, user_id, ts
          FROM sequence_events
          WHERE ${within(range, 'user_id')}
        ) u
      ) x
      WHERE kind = 0`,
  ),
];

const sequenceOrder = ['user_id', 'ts', 'event_type', 'item_id'] as const;

/** user_id, event_ts, item_id, event_type. Rows that tie in all four are the same row. */
export const sequenceRows = (dialect: Dialect) =>
  `${sequenceRowsAsTheyLie(dialect)} ORDER BY ${sequenceOrder.join(', ')}`;

/** The same rows, of a table of `sequence_events` that lies in their order. */
export const sequenceRowsAsTheyLie = ({ time }: Dialect) => `
  SELECT user_id, ${time('ts')} AS event_ts, item_id, CAST(event_type AS SMALLINT) AS event_type
  FROM sequence_events`;
