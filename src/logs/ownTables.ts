/**
 * The user's own Parquet tables, with the names of their columns mapped (ownColumns.ts). The files are read where they lie: nothing
 * is copied before the canonical tables are written, so their size is bounded by the disk alone.
 *
 * What may be left out is derived: `dt` from the request's time, behaviours from feedback and exposures, items and users from ids.
 */
import type { Duckdb } from '../data/duckdb.js';
import { parquetSource, readingParquet } from '../data/parquet.js';
import { CascadeError, type Problem } from '../errors.js';
import { sourceTable } from './complete.js';
import { sqlDay } from './days.js';
import { findColumns, type OwnColumns } from './ownColumns.js';
import { rawFiles, tableFiles, type OwnTablesConfig } from './sources.js';
import { eventTypes, tableNames, type TableName } from './tables.js';

/** Leaves the six source tables in the engine; returns what is worth a note. */
export async function readOwnTables(db: Duckdb, config: OwnTablesConfig): Promise<string[]> {
  const own = await openTables(db, config);
  for (const { table, files, expressions } of own.values()) {
    const columns = [...expressions].map(([name, expression]) => `${expression} AS "${name}"`);
    await db.run(
      `CREATE TEMPORARY VIEW own_${table} AS SELECT ${columns.join(', ')} FROM ${parquetSource(files)}`,
    );
  }
  const has = (table: TableName, column: string) => own.get(table)?.expressions.has(column) ?? false;

  await source(db, 'requests', has('requests', 'dt') ? 'FROM own_requests' : withDay(config.timeZone));
  for (const table of ['candidates', 'feedback'] as const) {
    await source(db, table, has(table, 'dt') ? `FROM own_${table}` : withDayOfRequest(table));
  }
  await source(
    db,
    'behaviours',
    own.has('behaviours') ? 'FROM own_behaviours' : await derivedBehaviours(db, has),
  );
  await source(db, 'items', itemsQuery(own.has('items'), config.unknownItems));
  await source(db, 'users', own.has('users') ? withUnknown('users', 'user_id', 'requests') : usersFromIds);
  return [...own.values()].flatMap(({ notes }) => notes);
}

/** Finds the columns of all tables that the config names; all problems of all tables are thrown together. */
async function openTables(db: Duckdb, config: OwnTablesConfig): Promise<Map<TableName, OwnColumns>> {
  const own = new Map<TableName, OwnColumns>();
  const problems: Problem[] = [];
  for (const table of tableNames) {
    const mapped = config[table];
    if (!mapped) continue;
    try {
      const files = (await tableFiles(config, table)).map(({ path }) => path);
      own.set(table, await findColumns(db, table, files, mapped.columns));
    } catch (error) {
      if (!(error instanceof CascadeError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new CascadeError(problems);
  return own;
}

const source = (db: Duckdb, table: TableName, query: string) =>
  db.run(`CREATE TEMPORARY VIEW ${sourceTable(table)} AS ${query}`);

const withDay = (timeZone: string) => `SELECT ${sqlDay('request_ts', timeZone)} AS dt, * FROM own_requests`;

/** The day of the request; min() so that a request id that occurs twice is told once, as that. */
const withDayOfRequest = (table: 'candidates' | 'feedback') => `
  SELECT days.dt, rows.* FROM own_${table} AS rows
  LEFT JOIN (SELECT request_id, min(dt) AS dt FROM ${sourceTable('requests')} GROUP BY request_id) AS days USING (request_id)`;

/** Exposures at the time of the request, and every positive signal at the time of the first event, where it is known. */
async function derivedBehaviours(
  db: Duckdb,
  has: (table: TableName, column: string) => boolean,
): Promise<string> {
  const signals = (['click', 'long_view', 'like', 'follow', 'comment', 'share', 'buy'] as const).filter(
    (signal) => has('feedback', signal),
  );
  const eventTime = has('feedback', 'first_event_ts') ? 'coalesce(first_event_ts, request_ts)' : 'request_ts';
  const events = [
    `SELECT user_id, item_id, request_ts AS event_ts, CAST(${eventTypes.exposure} AS SMALLINT) AS event_type, request_id
     FROM own_candidates JOIN own_requests USING (request_id) WHERE exposed`,
    ...signals.map(
      (signal) => `
     SELECT user_id, item_id, ${eventTime}, CAST(${eventTypes[signal]} AS SMALLINT), request_id
     FROM own_feedback JOIN own_requests USING (request_id) WHERE "${signal}" = 1`,
    ),
  ];
  await db.run(`CREATE TEMPORARY TABLE derived_behaviours AS ${events.join(' UNION ALL ')}`);
  return 'FROM derived_behaviours';
}

function itemsQuery(isMapped: boolean, unknownItems: OwnTablesConfig['unknownItems']): string {
  if (!isMapped) {
    return `SELECT DISTINCT item_id FROM (SELECT item_id FROM own_candidates
            UNION ALL SELECT item_id FROM ${sourceTable('behaviours')}) WHERE item_id IS NOT NULL`;
  }
  return unknownItems === 'accept' ? withUnknown('items', 'item_id', 'candidates') : 'FROM own_items';
}

/** The user's table, and the ids that another table knows beside it, with unknown attributes. */
const withUnknown = (table: TableName, id: string, other: TableName) => `
  SELECT * FROM own_${table}
  UNION ALL BY NAME
  SELECT DISTINCT ${id} FROM own_${other} WHERE ${id} IS NOT NULL AND ${id} NOT IN (SELECT ${id} FROM own_${table} WHERE ${id} IS NOT NULL)`;

const usersFromIds = `
  SELECT DISTINCT user_id FROM (SELECT user_id FROM own_requests
  UNION ALL SELECT user_id FROM ${sourceTable('behaviours')}) WHERE user_id IS NOT NULL`;

/**
 * The user's files are read only while the tables are checked and written, and what is damaged in the middle of one shows only then,
 * in words that may not name it. When that work fails, this reads file by file to say which one it was.
 */
export async function namingDamage<T>(db: Duckdb, config: OwnTablesConfig, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof CascadeError) throw error;
    for (const { path } of await rawFiles(config)) {
      // The hash is not used: it makes the engine decode every value.
      const everyValue = `SELECT bit_xor(hash(file)) FROM ${parquetSource(path)} AS file`;
      await readingParquet(path, () => db.rows(everyValue));
    }
    throw error;
  }
}
