/**
 * KuaiRand-Pure (Gao et al., CIKM 2022): exposures of a short-video app, 2022-04-25 to 2022-05-08, and before them one sequence per
 * user without times.
 *
 * - 5,885 rows repeat an earlier (user, video, time): the first is kept. There is no request id; one exposure = one request.
 * - `date` and `hourmin` run ahead of `time_ms` in one row of six: day and hour come from `time_ms`, in the zone of the config.
 * - A history has an order and no times: event k before the last gets `last_time_ms` − k seconds, marked `time_is_order_only`. The
 *   three sequences of a user overlap (a liked video was also watched): each entry is an event of its own kind.
 * - `profile_stay_time`, `comment_stay_time` and `is_profile_enter` have no canonical column and are left out.
 */
import { join } from 'node:path';
import type { LogsConfig } from '../config/config.js';
import type { Duckdb } from '../data/duckdb.js';
import type { Progress } from '../run/progress.js';
import { sourceTable } from './complete.js';
import { readCsv, type CsvColumns } from './csv.js';
import { offsetMs, sqlDay, sqlHour } from './days.js';
import { simulateRetrieval } from './retrieval.js';
import { kuairandFiles } from './sources.js';
import { eventTypes, retrievalChannels, stageReached } from './tables.js';

export type KuairandConfig = Extract<LogsConfig, { kind: 'kuairand' }>;

/** What the source tables cannot tell by themselves. */
export interface KuairandResult {
  readonly duplicates: number;
  readonly simulatedLists: number;
}

/** Leaves the six source tables in the engine. */
export async function readKuairand(
  db: Duckdb,
  config: KuairandConfig,
  seed: number,
  progress: Progress,
): Promise<KuairandResult> {
  const path = (file: keyof typeof kuairandFiles) => join(config.source, kuairandFiles[file]);
  await readCsv(db, 'raw_log', path('log'), logColumns);
  await readCsv(db, 'raw_history', path('history'), historyColumns);
  await readCsv(db, 'raw_users', path('users'), userColumns);
  await readCsv(db, 'raw_items', path('items'), itemColumns);
  // The monthly statistics average over the month of the log itself, test days included. They are read, so that a damaged copy is
  // noticed, and go nowhere: not into features, not into the popularity channel.
  await readCsv(db, 'raw_statistics', path('statistics'), { video_id: 'BIGINT' });
  await db.run('DROP TABLE raw_statistics');

  await db.run(requests(config.timeZone));
  await db.run(candidates);
  await db.run(feedback);
  await db.run(behaviours);
  await db.run(items(config.timeZone));
  await db.run(users);
  const duplicates =
    (await db.number('SELECT count(*) FROM raw_log')) - (await db.number('SELECT count(*) FROM exposures'));
  // What was watched for long is what the users of this app sought; the history knows no clicks.
  const simulatedLists = await simulateRetrieval(
    db,
    {
      timeZone: config.timeZone,
      positiveEvents: [eventTypes.long_view],
      popularityEvents: [eventTypes.exposure],
    },
    config.retrieval,
    seed,
    progress,
  );
  return { duplicates, simulatedLists };
}

// ------------------------------------------------------------------------------------------------------------- raw columns

const logColumns = {
  user_id: 'BIGINT',
  video_id: 'BIGINT',
  time_ms: 'BIGINT',
  is_click: 'TINYINT',
  is_like: 'TINYINT',
  is_follow: 'TINYINT',
  is_comment: 'TINYINT',
  is_forward: 'TINYINT',
  is_hate: 'TINYINT',
  long_view: 'TINYINT',
  play_time_ms: 'INTEGER',
  is_rand: 'TINYINT',
  tab: 'INTEGER',
} satisfies CsvColumns;

const historyColumns = {
  user_id: 'BIGINT',
  last_time_ms: 'BIGINT',
  watch_seq: 'VARCHAR',
  long_watch_seq: 'VARCHAR',
  like_seq: 'VARCHAR',
} satisfies CsvColumns;

const oneHots = Array.from({ length: 18 }, (_, i) => `onehot_feat${i}`);

/** Read as DOUBLE where the publishers' file has 4.0 for 4, which it has where values are missing. */
const userColumns: CsvColumns = {
  user_id: 'BIGINT',
  user_active_degree: 'VARCHAR',
  is_lowactive_period: 'INTEGER',
  is_live_streamer: 'INTEGER',
  is_video_author: 'INTEGER',
  follow_user_num: 'INTEGER',
  follow_user_num_range: 'VARCHAR',
  fans_user_num: 'INTEGER',
  fans_user_num_range: 'VARCHAR',
  friend_user_num: 'INTEGER',
  friend_user_num_range: 'VARCHAR',
  register_days: 'INTEGER',
  register_days_range: 'VARCHAR',
  ...Object.fromEntries(oneHots.map((name) => [name, 'DOUBLE'])),
};

const itemColumns = {
  video_id: 'BIGINT',
  author_id: 'BIGINT',
  video_type: 'VARCHAR',
  upload_dt: 'DATE',
  upload_type: 'VARCHAR',
  visible_status: 'DOUBLE',
  video_duration: 'DOUBLE',
  server_width: 'DOUBLE',
  server_height: 'DOUBLE',
  music_id: 'BIGINT',
  music_type: 'DOUBLE',
  tag: 'VARCHAR',
} satisfies CsvColumns;

// ------------------------------------------------------------------------------------------------------------------ tables

const requestTime = 'epoch_ms(time_ms)';

const requests = (timeZone: string) => `
  CREATE TABLE exposures AS
    SELECT row_number() OVER (ORDER BY time_ms, user_id, video_id) AS request_id,
           ${sqlDay(requestTime, timeZone)} AS dt, *
    FROM (SELECT * FROM raw_log
          QUALIFY row_number() OVER (PARTITION BY user_id, video_id, time_ms ORDER BY line) = 1);
  CREATE TABLE ${sourceTable('requests')} AS
    SELECT dt, request_id, ${requestTime} AS request_ts, user_id, tab AS scene,
           CAST(NULL AS INTEGER) AS n_retrieved, CAST(1 AS INTEGER) AS n_exposed,
           is_rand = 1 AS exploration, ${sqlHour(requestTime, timeZone)} AS ctx_hour
    FROM exposures`;

const candidates = `
  CREATE TABLE ${sourceTable('candidates')} AS
    SELECT dt, request_id, video_id AS item_id, CAST(${stageReached.exposed} AS TINYINT) AS stage_reached,
           CAST([${retrievalChannels.logged}] AS SMALLINT[]) AS retrieval_channels,
           CAST(NULL AS FLOAT) AS retrieval_score, CAST(NULL AS INTEGER) AS retrieval_rank, TRUE AS exposed
    FROM exposures`;

/** The log has no event times of its own: a signal is dated at its exposure, and its labels are complete. */
const feedback = `
  CREATE TABLE ${sourceTable('feedback')} AS
    SELECT dt, request_id, video_id AS item_id, is_click AS click, long_view, is_like AS "like", is_follow AS follow,
           is_forward AS share, is_comment AS comment, play_time_ms AS watch_ms,
           CASE WHEN greatest(is_click, long_view, is_like, is_follow, is_forward, is_comment, is_hate) = 1
                THEN ${requestTime} END AS first_event_ts,
           ${requestTime} AS label_ready_ts
    FROM exposures`;

const signals = {
  is_click: eventTypes.click,
  long_view: eventTypes.long_view,
  is_like: eventTypes.like,
  is_follow: eventTypes.follow,
  is_comment: eventTypes.comment,
  is_forward: eventTypes.share,
  is_hate: eventTypes.hate,
} as const;

const sequences = {
  watch_seq: eventTypes.exposure,
  long_watch_seq: eventTypes.long_view,
  like_seq: eventTypes.like,
} as const;

const behaviours = `
  CREATE TABLE ${sourceTable('behaviours')} AS
    ${[
      loggedEvents('TRUE', eventTypes.exposure),
      ...Object.entries(signals).map(([column, type]) => loggedEvents(`${column} = 1`, type)),
      ...Object.entries(sequences).map(([column, type]) => pastEvents(column, type)),
    ].join(' UNION ALL ')}`;

function loggedEvents(condition: string, eventType: number): string {
  return `
    SELECT user_id, video_id AS item_id, ${requestTime} AS event_ts, CAST(${eventType} AS SMALLINT) AS event_type, request_id,
           play_time_ms AS watch_ms, FALSE AS time_is_order_only
    FROM exposures WHERE ${condition}`;
}

/** An entry that is no number becomes a null id, which the checks refuse. */
function pastEvents(sequence: string, eventType: number): string {
  return `
    SELECT user_id, TRY_CAST(video AS BIGINT), epoch_ms(last_time_ms - 1000 * (length - position)), CAST(${eventType} AS SMALLINT),
           NULL, NULL, TRUE
    FROM (SELECT user_id, last_time_ms, len(videos) AS length,
                 unnest(videos) AS video, unnest(generate_series(1, len(videos))) AS position
          FROM (SELECT user_id, last_time_ms, string_split(${sequence}, ' ') AS videos
                FROM raw_history WHERE ${sequence} IS NOT NULL))`;
}

const seconds = `greatest(1, CAST(floor(video_duration / 1000) AS BIGINT))`;
/** floor(log2(seconds)) within 0..10, exact: the length of the whole seconds in binary digits. Null where there is no duration. */
const durationLog2 = `CASE WHEN video_duration IS NOT NULL THEN least(10, length(bin(${seconds})) - 1) END`;

const items = (timeZone: string) => `
  CREATE TABLE ${sourceTable('items')} AS
    SELECT video_id AS item_id, CAST(upload_dt AS TIMESTAMP) - to_milliseconds(${offsetMs(timeZone)}) AS publish_ts,
           author_id, TRY_CAST(string_split(tag, ',')[1] AS INTEGER) AS tag, TRY_CAST(string_split(tag, ',') AS INTEGER[]) AS tags,
           video_type, upload_type, CAST(visible_status AS INTEGER) AS visible_status,
           CAST(video_duration AS INTEGER) AS duration_ms, CAST(${durationLog2} AS INTEGER) AS duration_log2,
           CAST(server_width AS INTEGER) AS server_width, CAST(server_height AS INTEGER) AS server_height,
           music_id, CAST(music_type AS INTEGER) AS music_type
    FROM raw_items`;

const users = `
  CREATE TABLE ${sourceTable('users')} AS
    SELECT * EXCLUDE (line) REPLACE (${oneHots.map((name) => `CAST(${name} AS INTEGER) AS ${name}`).join(', ')})
    FROM raw_users`;
