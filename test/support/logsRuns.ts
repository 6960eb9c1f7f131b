/** Runs of the `logs` stage for tests: from settings, raw files or the user's tables, to what it wrote or what it complained of. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { columnsOf, type Schema } from '../../src/data/columns.js';
import { Duckdb } from '../../src/data/duckdb.js';
import { parquetSource, writeBatches } from '../../src/data/parquet.js';
import { describeError } from '../../src/errors.js';
import { rawFiles } from '../../src/logs/sources.js';
import { silentProgress } from '../../src/run/progress.js';
import { Stage, type StageResult } from '../../src/run/stage.js';
import { writeLogs } from '../../src/stages/logs.js';
import { configOf, temporaryFolder, type Row } from './canonicalLogs.js';

export interface LogsRun {
  readonly result: StageResult;
  readonly stage: Stage;
  /** Path of a file that the stage wrote. */
  path(table: string): string;
  /** Rows of a query; every table that was written can be named in it. */
  rows(query: string): Promise<Record<string, unknown>[]>;
  /** The single number that a query returns. */
  number(query: string): Promise<number>;
}

type LogsSection = Readonly<Record<string, unknown>>;
type Rest = Readonly<Record<string, unknown>>;

/** Runs the stage for this `logs` section, as YAML spells it, in a folder of its own. */
export async function runLogs(logs: LogsSection, rest: Rest = {}): Promise<LogsRun> {
  const folder = await temporaryFolder();
  const config = configOf({ logs, ...rest });
  const sources = await rawFiles(config.logs);
  const stage = new Stage('logs', folder, config, silentProgress, new Map(), sources);
  const result = await writeLogs(stage, config);
  const path = (table: string) => join(stage.folder, table, 'part-00000.parquet');
  const tables = stage.outputs.map((file) => file.path.split('/')[1]!);
  const rows = (query: string) =>
    queryTables(folder, Object.fromEntries(tables.map((name) => [name, path(name)])), query);
  const number = async (query: string) => Number(Object.values((await rows(query))[0] ?? {})[0]);
  return { result, stage, path, rows, number };
}

/** What the stage says of these logs: the problems in words, with temporary folders left out; "no problem" when it has none. */
export async function complaintOf(logs: LogsSection): Promise<string> {
  try {
    await runLogs(logs);
    return 'no problem';
  } catch (error) {
    return describeError(error).replaceAll(/\/\S*\/cascade-test-\w+/g, '<folder>');
  }
}

async function queryTables(
  folder: string,
  tables: Readonly<Record<string, string>>,
  query: string,
): Promise<Record<string, unknown>[]> {
  const db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder: join(folder, 'spill-read') });
  try {
    for (const [name, path] of Object.entries(tables)) {
      await db.run(`CREATE VIEW ${name} AS SELECT * FROM ${parquetSource(path)}`);
    }
    return await db.rows(query);
  } finally {
    await db.close();
  }
}

// ------------------------------------------------------------------------------------------------------ the user's own tables

export interface OwnTable {
  readonly schema: Schema;
  readonly rows: readonly Row[];
}

/** A small log of the user's own that has nothing wrong: two requests, of which one has a cut candidate and a click. */
export const ownTables = {
  requests: {
    schema: { request_id: 'BIGINT', request_ts: 'TIMESTAMP_MS', user_id: 'BIGINT' },
    rows: [
      { request_id: 1, request_ts: Date.UTC(2024, 0, 1, 12), user_id: 7 },
      { request_id: 2, request_ts: Date.UTC(2024, 0, 2, 23), user_id: 8 },
    ],
  },
  candidates: {
    schema: { request_id: 'BIGINT', item_id: 'BIGINT', stage_reached: 'TINYINT', exposed: 'BOOLEAN' },
    rows: [
      { request_id: 1, item_id: 100, stage_reached: 6, exposed: true },
      { request_id: 1, item_id: 101, stage_reached: 1, exposed: false },
      { request_id: 2, item_id: 102, stage_reached: 6, exposed: true },
    ],
  },
  feedback: {
    schema: { request_id: 'BIGINT', item_id: 'BIGINT', click: 'TINYINT' },
    rows: [
      { request_id: 1, item_id: 100, click: 1 },
      { request_id: 2, item_id: 102, click: 0 },
    ],
  },
} as const satisfies Record<string, OwnTable>;

type OwnTables = Readonly<Record<string, OwnTable>>;
type Mapping = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Writes tables as Parquet and returns the `logs` section that reads them. */
export async function writeOwnTables(
  tables: OwnTables,
  mapping: Mapping = {},
): Promise<Record<string, unknown>> {
  const source = await temporaryFolder();
  const db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder: join(source, 'spill') });
  try {
    for (const [name, { schema, rows }] of Object.entries(tables)) {
      await mkdir(dirname(join(source, name)), { recursive: true });
      await writeBatches(db, schema, [columnsOf(schema, rows)], join(source, `${name}.parquet`));
    }
  } finally {
    await db.close();
  }
  const sections: Record<string, unknown> = {};
  for (const name of Object.keys(tables)) {
    sections[name] = { path: `${name}.parquet`, columns: mapping[name] ?? {} };
  }
  return { kind: 'tables', source, ...sections };
}
