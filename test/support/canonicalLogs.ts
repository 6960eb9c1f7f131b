/**
 * Tiny canonical tables for tests of what comes after the `logs` stage: written as that stage would, with a manifest, so that a
 * stage under test reads them through the front door.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { camelKeys, type Config } from '../../src/config/config.js';
import { configSchema } from '../../src/config/schema.js';
import { columnsOf, type Cell, type ColumnType, type Schema } from '../../src/data/columns.js';
import { Duckdb } from '../../src/data/duckdb.js';
import { parquetSource, writeBatches } from '../../src/data/parquet.js';
import { canonicalTables, tableNames, type TableName } from '../../src/logs/tables.js';
import type { FileRecord, Manifest } from '../../src/run/manifest.js';
import { runFormat } from '../../src/run/manifest.js';
import { silentProgress } from '../../src/run/progress.js';
import { recordFile, Stage, type StageResult } from '../../src/run/stage.js';
import { buildSamples } from '../../src/stages/samples.js';

export type Row = Readonly<Record<string, Cell | undefined>>;
export type Logs = Readonly<Partial<Record<TableName, readonly Row[]>>>;
/** Types of attribute columns beside the canonical ones. */
export type Attributes = Readonly<Partial<Record<TableName, Schema>>>;

/** A config of the simulation with these sections in its place, as YAML spells them. */
export function configOf(sections: Readonly<Record<string, unknown>> = {}): Config {
  const config = configSchema.parse({
    threads: 1,
    memory_limit: '1GB',
    logs: { kind: 'simulate' },
    features: {
      user: [{ name: 'user', kind: 'id', column: 'users.user_id' }],
      item: [{ name: 'item', kind: 'id', column: 'items.item_id' }],
      sequence: ['item'],
      min_count: 1,
    },
    ...sections,
  });
  return { ...camelKeys(config), run: 'run' };
}

/** A time of day on one of the log's days, in milliseconds: at(1) is midnight of 2024-01-01. */
export const at = (day: number, seconds = 0) => Date.UTC(2024, 0, day) + 1000 * seconds;
export const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

/** A folder that is removed when the tests of the file are done. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cascade-test-'));
  folders.push(folder);
  return folder;
}

/** Writes canonical tables into a run folder and returns what the manifest of the `logs` stage would say. */
async function writeLogTables(runFolder: string, logs: Logs, attributes: Attributes = {}): Promise<Manifest> {
  const db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder: join(runFolder, 'spill') });
  const outputs: FileRecord[] = [];
  try {
    for (const table of tableNames) {
      const path = join(runFolder, 'logs', table, 'part-00000.parquet');
      await mkdir(dirname(path), { recursive: true });
      const schema: Record<string, ColumnType> = { ...attributes[table] };
      const fallbacks: Record<string, Cell> = {};
      for (const [name, column] of Object.entries(canonicalTables[table].columns)) {
        schema[name] = column.type;
        if ('fallback' in column) fallbacks[name] = column.fallback;
      }
      const rows = (logs[table] ?? []).map((row) => ({ ...fallbacks, ...row }));
      await writeBatches(db, schema, [columnsOf(schema, rows)], path);
      outputs.push(await recordFile(runFolder, path));
    }
  } finally {
    await db.close();
  }
  return {
    format: runFormat,
    stage: 'logs',
    stage_version: 1,
    seed: 1,
    settings: {},
    built_from: {},
    inputs: [],
    outputs,
    result: {},
    versions: {},
    started_at: '',
    duration_seconds: 0,
  };
}

export interface Built {
  readonly runFolder: string;
  readonly result: StageResult;
  readonly stage: Stage;
  /** Path of a file of the samples stage. */
  path(file: string): string;
  /** Rows of the Parquet files of one table of the samples stage. */
  rows(table: string, query?: string): Promise<Record<string, unknown>[]>;
}

/** Runs the samples stage over these tables in a folder of its own. */
export async function buildFrom(
  logs: Logs,
  config = configOf(),
  attributes: Attributes = {},
): Promise<Built> {
  const runFolder = await temporaryFolder();
  const manifest = await writeLogTables(runFolder, logs, attributes);
  const stage = new Stage('samples', runFolder, config, silentProgress, new Map([['logs', manifest]]), []);
  const result = await buildSamples(stage, config);
  const path = (file: string) => join(stage.folder, file);
  return {
    runFolder,
    result,
    stage,
    path,
    rows: (table, query = 'SELECT * FROM t') => read(path(`${table}/*.parquet`), query, runFolder),
  };
}

async function read(glob: string, query: string, folder: string): Promise<Record<string, unknown>[]> {
  const db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder: join(folder, 'spill-read') });
  try {
    return await db.rows(`WITH t AS (SELECT * FROM ${parquetSource(glob)}) ${query}`);
  } finally {
    await db.close();
  }
}
