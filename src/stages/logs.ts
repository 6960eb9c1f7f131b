/**
 * Raw logs become the canonical tables (logs/tables.ts), whatever kind they are of: a public data set, the user's own Parquet, or a
 * simulation.
 *
 * In:  the raw files of `logs.source`, or nothing but settings.
 * Out: requests, candidates, feedback, behaviours, items, users, each `<table>/part-00000.parquet` in the total order of tables.ts;
 *      of a simulation also `truth/part-00000.parquet` (request_id, item_id, click_probability, same_group_count, group_id), which
 *      no later stage reads.
 * Promise: the same source, settings and seed give the same bytes; tables that break a rule are refused before anything is written.
 */
import type { Config, LogsConfig } from '../config/config.js';
import type { Duckdb } from '../data/duckdb.js';
import { writeQuery, type Metadata } from '../data/parquet.js';
import { assertNever } from '../errors.js';
import { returnGarbage } from '../memory.js';
import { checkTables } from '../logs/check.js';
import { completeTables } from '../logs/complete.js';
import { readKuairand } from '../logs/kuairand.js';
import { namingDamage, readOwnTables } from '../logs/ownTables.js';
import { loadSimulation, simulatedInOrder, truthTable } from '../logs/simulate/load.js';
import { rawFiles } from '../logs/sources.js';
import { summarise, type SourceFacts } from '../logs/summary.js';
import { canonicalTables, stageReached, tableNames, tablesVersion } from '../logs/tables.js';
import { readTaobao } from '../logs/taobao.js';
import type { Stage, StageResult } from '../run/stage.js';

export async function writeLogs(stage: Stage, config: Config): Promise<StageResult> {
  const { logs, seed } = config;
  return stage.withDuckdb(async (db) => {
    const facts = await readSource(stage, db, logs, seed);
    returnGarbage(); // what the tables were made of
    await completeTables(db);
    const work = checkAndWrite(stage, db, logs, facts);
    return logs.kind === 'tables' ? namingDamage(db, logs, work) : work;
  });
}

async function checkAndWrite(
  stage: Stage,
  db: Duckdb,
  logs: LogsConfig,
  facts: SourceFacts,
): Promise<StageResult> {
  const unknownItems = logs.kind === 'tables' ? logs.unknownItems : 'error';
  const notes = await checkTables(db, { unknownItems });

  const footer = footerOf(logs.timeZone);
  const inOrder = logs.kind === 'simulate' ? simulatedInOrder : [];
  for (const table of tableNames) {
    const { order } = canonicalTables[table];
    await writeTable(stage, db, table, table, inOrder.includes(table) ? [] : order, footer);
  }
  if (logs.kind === 'simulate') await writeTable(stage, db, 'truth', truthTable, [], footer);
  return summarise(db, logs.timeZone, { ...facts, notes: [...facts.notes, ...notes] });
}

/** Leaves the source tables of the configured kind in the engine. */
async function readSource(stage: Stage, db: Duckdb, logs: LogsConfig, seed: number): Promise<SourceFacts> {
  const none: SourceFacts = { duplicatesDropped: 0, simulatedLists: 0, notes: [] };
  for (const { name } of await rawFiles(logs)) await stage.readSource(name); // records what was read, by its hash
  switch (logs.kind) {
    case 'simulate':
      await loadSimulation(db, logs, seed, stage.progress);
      return none;
    case 'tables':
      return { ...none, notes: await readOwnTables(db, logs) };
    case 'kuairand': {
      const { duplicates, simulatedLists } = await readKuairand(db, logs, seed, stage.progress);
      return { ...none, duplicatesDropped: duplicates, simulatedLists };
    }
    case 'taobao':
      return readTaobao(db, logs, seed, stage.progress);
    default:
      return assertNever(logs);
  }
}

/** What every file says of itself. No teacher has scored these candidates. */
const footerOf = (timeZone: string): Metadata => ({
  schema_version: tablesVersion,
  time_zone: timeZone,
  stage_order: JSON.stringify(stageReached),
  teacher_version: '',
});

/** `order`: what the rows are sorted by; nothing where they are in order. */
async function writeTable(
  stage: Stage,
  db: Duckdb,
  name: string,
  relation: string,
  order: readonly string[],
  footer: Metadata,
): Promise<void> {
  const columns = order.map((column) => `"${column}" NULLS FIRST`);
  const sorted = columns.length === 0 ? '' : ` ORDER BY ${columns.join(', ')}`;
  await stage.write(
    `${name}/part-00000.parquet`,
    async (path) => {
      await writeQuery(db, `SELECT * FROM ${relation}${sorted}`, path, footer);
      return db.number(`SELECT count(*) FROM ${relation}`);
    },
    tablesVersion,
  );
}
