/**
 * A simulated retrieval for data sets that hold exposures only: some requests get a list of candidates that were not shown, as two
 * channels would have found them. Everything is fitted on days strictly before the request's day, as an index built overnight is:
 * later events, those of the request's own day included, change nothing in its list.
 *
 * - popularity: draws without replacement, weighted by how often an item was exposed, or whatever the log knows instead;
 * - co-occurrence: items near the user's last positive events in the sequences of all users, by summed count, then id.
 *
 * Histories that have an order and no times count as before the first day. The SQL below fits, `retrievalIndex.ts` picks.
 */
import { columnsOf, type Schema } from '../data/columns.js';
import { sqlText, type Duckdb } from '../data/duckdb.js';
import { appendBatches, createTable } from '../data/tableAppender.js';
import type { Progress } from '../run/progress.js';
import { valuesOf } from './batchValues.js';
import { sourceTable } from './complete.js';
import { sqlDay } from './days.js';
import { md5Draw } from './md5Draw.js';
import {
  pickCandidates,
  type Catalogue,
  type DayIndex,
  type RetrievalRequest,
  type RetrievalSettings,
  type Retrieved,
} from './retrievalIndex.js';
import { stageReached } from './tables.js';

/** How a data set is read for retrieval. */
export interface RetrievalSource {
  readonly timeZone: string;
  /** Event types that say a user sought the item. */
  readonly positiveEvents: readonly number[];
  /** Event types that an item's popularity counts. */
  readonly popularityEvents: readonly number[];
}

/** The user's last positive events that find neighbours; how near in a sequence two items must stand to have co-occurred. */
const triggers = 10;
const window = 5;
/** Neighbours kept of an item, and times that a pair must have been seen to count. */
const neighbours = 50;
const support = 2;

/** Adds candidates to `source_candidates` and `n_retrieved` to `source_requests`; returns the number of lists. */
export async function simulateRetrieval(
  db: Duckdb,
  source: RetrievalSource,
  settings: RetrievalSettings,
  seed: number,
  progress: Progress,
): Promise<number> {
  await db.run(numberItems);
  await db.run(countPopularity(source));
  await db.run(orderPositives(source));
  await db.run(countPairs);
  await db.run(drawRequests(settings.oneIn, seed));
  await createTable(db, 'retrieved', retrievedSchema);

  const catalogue = await readCatalogue(db);
  const days = await db.rows('SELECT DISTINCT dt FROM drawn_requests ORDER BY dt');
  const task = progress.begin('simulated retrieval', days.length, 'days');
  let lists = 0;
  let done = 0;
  for (const day of days.map((row) => String(row.dt))) {
    const index = await indexBefore(db, day, catalogue.ids.length);
    const requests = await requestsOf(db, day);
    const rows = requests.flatMap((request) =>
      rowsOf(day, request, pickCandidates(request, index, catalogue, settings, seed), catalogue),
    );
    await appendBatches(db, 'retrieved', retrievedSchema, [columnsOf(retrievedSchema, rows)]);
    lists += requests.length;
    task.update(++done);
  }
  task.end();
  await db.run(addRetrieved);
  return lists;
}

// --------------------------------------------------------------------------------------------------------------- what is fitted

const numberItems = `
  CREATE TEMPORARY TABLE catalogue AS
    SELECT CAST(row_number() OVER (ORDER BY item_id) - 1 AS INTEGER) AS item, * FROM (FROM ${sourceTable('items')})`;

/** Day of an event; '' = before the first day. */
const eventDay = (timeZone: string) =>
  `CASE WHEN time_is_order_only THEN '' ELSE ${sqlDay('event_ts', timeZone)} END`;

const countPopularity = ({ timeZone, popularityEvents }: RetrievalSource) => `
  CREATE TEMPORARY TABLE popularity AS
    SELECT ${eventDay(timeZone)} AS day, item, CAST(count(*) AS DOUBLE) AS times
    FROM ${sourceTable('behaviours')} JOIN catalogue USING (item_id)
    WHERE event_type IN (${popularityEvents.join(', ')})
    GROUP BY ALL`;

/** Sorted by day first: events of a later day cannot move those of an earlier one. */
const orderPositives = ({ timeZone, positiveEvents }: RetrievalSource) => `
  CREATE TEMPORARY TABLE positives AS
    SELECT user_id, day, item, row_number() OVER (PARTITION BY user_id ORDER BY day, event_ts, item) AS position
    FROM (SELECT user_id, ${eventDay(timeZone)} AS day, event_ts, item
          FROM ${sourceTable('behaviours')} JOIN catalogue USING (item_id)
          WHERE event_type IN (${positiveEvents.join(', ')}))`;

/**
 * A pair is known from the day of its later event on. Pairs that never reach the support are dropped at once: they cannot have reached
 * it on an earlier day either.
 */
const countPairs = `
  CREATE TEMPORARY TABLE pairs AS
    WITH counted AS (
      SELECT later.day, least(earlier.item, later.item) AS one, greatest(earlier.item, later.item) AS other,
             CAST(count(*) AS INTEGER) AS times
      FROM positives AS earlier, range(1, ${window + 1}) AS gap(places), positives AS later
      WHERE later.user_id = earlier.user_id AND later.position = earlier.position + places AND earlier.item <> later.item
      GROUP BY later.day, one, other
      QUALIFY sum(count(*)) OVER (PARTITION BY one, other) >= ${support})
    SELECT day, one AS item, other AS neighbour, times FROM counted
    UNION ALL
    SELECT day, other, one, times FROM counted`;

const drawRequests = (oneIn: number, seed: number) => `
  CREATE TEMPORARY TABLE drawn_requests AS
    SELECT request_id, dt, request_ts, user_id FROM ${sourceTable('requests')}
    WHERE ${md5Draw('retrieval', seed, 'request_id')} % ${oneIn} = 0`;

async function readCatalogue(db: Duckdb): Promise<Catalogue> {
  const columns = (await db.rows('DESCRIBE catalogue')).map((row) => String(row.column_name));
  const known = (name: string, otherwise: string) =>
    columns.includes(name) ? `coalesce(CAST(epoch_ms(${name}) AS DOUBLE), ${otherwise})` : otherwise;
  const table = await db.batch(`
    SELECT item_id, greatest(${known('publish_ts', "'-inf'::DOUBLE")}, ${known('valid_from', "'-inf'::DOUBLE")}) AS from_ms,
           ${known('valid_to', "'inf'::DOUBLE")} AS to_ms
    FROM catalogue ORDER BY item`);
  return {
    ids: valuesOf(table, 'item_id', BigInt64Array),
    fromMs: valuesOf(table, 'from_ms', Float64Array),
    toMs: valuesOf(table, 'to_ms', Float64Array),
  };
}

// ------------------------------------------------------------------------------------------------------------------ day by day

async function indexBefore(db: Duckdb, day: string, items: number): Promise<DayIndex> {
  const counted = await db.batch(`
    SELECT coalesce(times, 0) AS times
    FROM catalogue LEFT JOIN (SELECT item, sum(times) AS times FROM popularity WHERE day < ${sqlText(day)} GROUP BY item) USING (item)
    ORDER BY item`);
  const near = await db.batch(`
    SELECT item, neighbour, CAST(times AS DOUBLE) AS times
    FROM (SELECT item, neighbour, sum(times) AS times FROM pairs WHERE day < ${sqlText(day)}
          GROUP BY ALL HAVING sum(times) >= ${support})
    QUALIFY row_number() OVER (PARTITION BY item ORDER BY times DESC, neighbour) <= ${neighbours}
    ORDER BY item, times DESC, neighbour`);
  const popularity = valuesOf(counted, 'times', Float64Array);
  let sum = 0;
  const neighbourStart = new Int32Array(items + 1);
  for (const item of valuesOf(near, 'item', Int32Array)) neighbourStart[item + 1]!++;
  for (let item = 0; item < items; item++) neighbourStart[item + 1]! += neighbourStart[item]!;
  return {
    popularity,
    popularitySum: popularity.map((times) => (sum += times)),
    neighbourStart,
    neighbour: valuesOf(near, 'neighbour', Int32Array),
    times: valuesOf(near, 'times', Float64Array),
  };
}

/** The drawn requests of a day with what was exposed in them and the user's triggers: rows sorted by SQL, grouped here. */
async function requestsOf(db: Duckdb, day: string): Promise<RetrievalRequest[]> {
  const rows = await db.batch(`
    WITH today AS (SELECT * FROM drawn_requests WHERE dt = ${sqlText(day)}),
    latest AS (
      SELECT user_id, item, row_number() OVER (PARTITION BY user_id ORDER BY position DESC) AS place
      FROM positives WHERE day < ${sqlText(day)} AND user_id IN (SELECT user_id FROM today)
      QUALIFY place <= ${triggers})
    SELECT request_id, CAST(epoch_ms(request_ts) AS DOUBLE) AS at_ms, FALSE AS is_trigger, item, 0 AS place
    FROM today JOIN ${sourceTable('candidates')} USING (request_id) JOIN catalogue USING (item_id) WHERE exposed
    UNION ALL
    SELECT request_id, CAST(epoch_ms(request_ts) AS DOUBLE), TRUE, item, place FROM today JOIN latest USING (user_id)
    ORDER BY request_id, is_trigger, place, item`);
  const ids = valuesOf(rows, 'request_id', BigInt64Array);
  const times = valuesOf(rows, 'at_ms', Float64Array);
  const isTrigger = valuesOf(rows, 'is_trigger', Uint8Array);
  const items = valuesOf(rows, 'item', Int32Array);
  const requests: { requestId: bigint; atMs: number; exposed: Set<number>; triggers: number[] }[] = [];
  for (let row = 0; row < rows.rows; row++) {
    if (requests.at(-1)?.requestId !== ids[row]) {
      requests.push({ requestId: ids[row]!, atMs: times[row]!, exposed: new Set(), triggers: [] });
    }
    const request = requests.at(-1)!;
    if (isTrigger[row]) request.triggers.push(items[row]!);
    else request.exposed.add(items[row]!);
  }
  return requests;
}

// ------------------------------------------------------------------------------------------------------------ what is written

const retrievedSchema = {
  dt: 'VARCHAR',
  request_id: 'BIGINT',
  item_id: 'BIGINT',
  stage_reached: 'TINYINT',
  retrieval_channels: 'SMALLINT[]',
  retrieval_score: 'FLOAT',
  retrieval_rank: 'INTEGER',
  exposed: 'BOOLEAN',
} as const satisfies Schema;

/** One row per candidate that was found. */
function rowsOf(day: string, request: RetrievalRequest, found: readonly Retrieved[], catalogue: Catalogue) {
  return found.map((candidate) => ({
    dt: day,
    request_id: request.requestId,
    item_id: catalogue.ids[candidate.item]!,
    stage_reached: stageReached.retrieved,
    retrieval_channels: candidate.channels,
    retrieval_score: candidate.score,
    retrieval_rank: candidate.rank,
    exposed: false,
  }));
}

/** What a list holds beside its candidates was found too: by a channel that nobody logged. */
const addRetrieved = `
  INSERT INTO ${sourceTable('candidates')} BY NAME SELECT * FROM retrieved;
  UPDATE ${sourceTable('requests')} SET n_retrieved = found
    FROM (SELECT request_id, CAST(count(*) AS INTEGER) AS found FROM ${sourceTable('candidates')}
          WHERE request_id IN (SELECT request_id FROM drawn_requests) GROUP BY request_id) AS lists
    WHERE lists.request_id = ${sourceTable('requests')}.request_id`;
