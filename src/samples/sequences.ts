/**
 * Point-in-time sequences. A user's events are sorted once; what a request may see of them is a prefix, so that one number, how
 * many events came before, stands for the whole sequence.
 *
 * An event is seen when event_ts < request_ts - delay, strictly. An event that a request led to cannot be older than that request:
 * where the log says so (clocks of two machines) the request's time is taken, so that no request ever sees its own events.
 */
import type { Dialect } from './dialect.js';
import type { ScriptSettings, View } from './settings.js';

export const sequenceViews = ({ sequence }: ScriptSettings): View[] => [
  {
    name: 'sequence_events',
    query: `
      SELECT b.user_id, b.item_id, b.event_type, CASE WHEN r.ts > b.ts THEN r.ts ELSE b.ts END AS ts
      FROM behaviour_log b
      LEFT JOIN request_log r ON r.request_id = b.request_id`,
  },
  {
    // As-of by a running count over requests (kind 0) and events (kind 1): at equal times requests come first, hence strictly before.
    name: 'request_behaviours',
    once: true,
    readBy: 'request_id',
    query: `
      SELECT request_id, CAST(n AS INT) AS n_behaviours
      FROM (
        SELECT kind, request_id,
               CAST(sum(kind) OVER (PARTITION BY user_id ORDER BY ts, kind
                                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS BIGINT) AS n
        FROM (
          SELECT 0 AS kind, request_id, user_id, ts - ${Math.round(sequence.delaySeconds * 1000)} AS ts FROM used_requests
          UNION ALL
          SELECT 1 AS kind, CAST(NULL AS BIGINT) AS request_id, user_id, ts FROM sequence_events
        ) u
      ) x
      WHERE kind = 0`,
  },
];

/** user_id, event_ts, item_id, event_type. Rows that tie in all four are the same row. */
export const sequenceRows = ({ time }: Dialect) => `
  SELECT user_id, ${time('ts')} AS event_ts, item_id, CAST(event_type AS SMALLINT) AS event_type
  FROM sequence_events
  ORDER BY user_id, ts, event_type, item_id`;
