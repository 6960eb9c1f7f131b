/**
 * Taobao UserBehavior (Alibaba Tianchi, data set 649): page views, carts, favourites and purchases, 2017-11-25 to 2017-12-03.
 *
 * The set knows what users did and nothing of what they were shown. Requests are made up from it (reference-experiments.md,
 * section 3):
 *
 * - a positive is the first event of a (user, item), whatever its type; each is a request at that moment. The first event of a user
 *   is none: nothing was known of the user then;
 * - **the negatives of a request are drawn, not shown** (taobaoNegatives.ts). They stand in `candidates` as exposed, label 0, so that
 *   set A has something to compare the positive with, and have no retrieval channel. A metric on set A says how well a model tells
 *   a user's next item from other people's; it says nothing about exposures;
 * - the request sees what the user did strictly before it, events of all four types.
 *
 * 20 rows of the slices lie outside of the nine days, in September 2017 for one: known dirt of the original, left out.
 * One item has two categories: it gets the one it has more often, of equals the smaller.
 */
import { join } from 'node:path';
import type { LogsConfig } from '../config/config.js';
import type { Duckdb } from '../data/duckdb.js';
import type { Progress } from '../run/progress.js';
import { counted } from './check.js';
import { sourceTable } from './complete.js';
import { sqlDay, sqlHour } from './days.js';
import { simulateRetrieval } from './retrieval.js';
import type { SourceFacts } from './summary.js';
import { eventTypes, retrievalChannels, stageReached } from './tables.js';
import { readTaobaoEvents } from './taobaoEvents.js';
import { drawNegatives } from './taobaoNegatives.js';

export type TaobaoConfig = Extract<LogsConfig, { kind: 'taobao' }>;

/** Leaves the six source tables in the engine. */
export async function readTaobao(
  db: Duckdb,
  config: TaobaoConfig,
  seed: number,
  progress: Progress,
): Promise<SourceFacts> {
  const { outside, repeated } = await readTaobaoEvents(
    db,
    config.files.map((name) => join(config.source, name)),
  );
  await db.run(firstEvents(config));
  await db.run(positives);
  await drawNegatives(db, config.negatives.perPositive, seed);

  await db.run(requests(config));
  await db.run(candidates);
  await db.run(feedback);
  await db.run(behaviours);
  await db.run(items);
  await db.run(users);
  const events = [eventTypes.page_view, eventTypes.cart, eventTypes.favourite, eventTypes.buy];
  const simulatedLists = await simulateRetrieval(
    db,
    { timeZone: config.timeZone, positiveEvents: events, popularityEvents: events },
    config.retrieval,
    seed,
    progress,
  );

  const negatives = await db.number('SELECT count(*) FROM drawn_negatives');
  const withoutPast = await db.number('SELECT count(*) FROM first_events WHERE NOT has_past');
  const twoCategories = await db.number(itemsOfTwoCategories);
  return {
    duplicatesDropped: repeated,
    simulatedLists,
    notes: [
      `${counted(negatives, 'exposure')} with label 0 are drawn, not shown: the set has no exposures`,
      ...noteOf(outside, 'row', 'outside of the nine days left out'),
      ...noteOf(withoutPast, 'positive', 'before which the user did nothing: no request'),
      ...noteOf(twoCategories, 'item', 'with more than one category: the most frequent is taken'),
    ],
  };
}

const noteOf = (count: number, noun: string, words: string) =>
  count > 0 ? [`${counted(count, noun)} ${words}`] : [];

// --------------------------------------------------------------------------------------------------------------- positives

/**
 * The first event of every (user, item), numbered by (time, user, item) from 0 within its part. Parts are counted from 0: a day is in
 * the part of as many borders as it has reached.
 */
const firstEvents = ({ timeZone, negatives }: TaobaoConfig) => `
  CREATE TABLE first_events AS
    SELECT user_id, item_id, event_ts, dt, part, has_past,
           row_number() OVER (PARTITION BY part ORDER BY event_ts, user_id, item_id) - 1 AS place
    FROM (SELECT *, ${['0', ...negatives.partsFrom.map((day) => `CAST(dt >= '${day}' AS INTEGER)`)].join(' + ')} AS part
          FROM (SELECT user_id, item_id, min(event_ts) AS event_ts, ${sqlDay('min(event_ts)', timeZone)} AS dt,
                       min(min(event_ts)) OVER (PARTITION BY user_id) < min(event_ts) AS has_past
                FROM events GROUP BY user_id, item_id))`;

const positives = `
  CREATE TABLE positives AS
    SELECT row_number() OVER (ORDER BY event_ts, user_id, item_id) AS request_id, user_id, item_id, event_ts, dt, part
    FROM first_events WHERE has_past`;

// ------------------------------------------------------------------------------------------------------------------ tables

const requests = ({ timeZone, negatives }: TaobaoConfig) => `
  CREATE TABLE ${sourceTable('requests')} AS
    SELECT dt, request_id, event_ts AS request_ts, user_id, CAST(NULL AS INTEGER) AS n_retrieved,
           CAST(${1 + negatives.perPositive} AS INTEGER) AS n_exposed, ${sqlHour('event_ts', timeZone)} AS ctx_hour
    FROM positives`;

const candidates = `
  CREATE TABLE ${sourceTable('candidates')} AS
    SELECT dt, request_id, item_id, CAST(${stageReached.exposed} AS TINYINT) AS stage_reached,
           CASE WHEN drawn THEN NULL ELSE CAST([${retrievalChannels.logged}] AS SMALLINT[]) END AS retrieval_channels,
           CAST(NULL AS FLOAT) AS retrieval_score, CAST(NULL AS INTEGER) AS retrieval_rank, TRUE AS exposed
    FROM (SELECT dt, request_id, item_id, FALSE AS drawn FROM positives
          UNION ALL
          SELECT positives.dt, request_id, drawn_negatives.item_id, TRUE FROM drawn_negatives JOIN positives USING (request_id))`;

const feedback = `
  CREATE TABLE ${sourceTable('feedback')} AS
    SELECT candidates.dt, request_id, candidates.item_id, CAST(is_positive AS TINYINT) AS click,
           CASE WHEN is_positive THEN event_ts END AS first_event_ts, event_ts AS label_ready_ts
    FROM (SELECT dt, request_id, item_id, retrieval_channels IS NOT NULL AS is_positive FROM ${sourceTable('candidates')}) AS candidates
    JOIN positives USING (request_id)`;

const behaviours = `
  CREATE TABLE ${sourceTable('behaviours')} AS SELECT user_id, item_id, event_ts, event_type, FALSE AS time_is_order_only FROM events`;

const items = `
  CREATE TABLE ${sourceTable('items')} AS
    SELECT item_id, category_id FROM events GROUP BY item_id, category_id
    QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY count(*) DESC, category_id) = 1`;

const itemsOfTwoCategories = `
  SELECT count(*) FROM (SELECT item_id FROM events GROUP BY item_id HAVING count(DISTINCT category_id) > 1)`;

const users = `
  CREATE TABLE ${sourceTable('users')} AS SELECT DISTINCT user_id FROM events`;
