/**
 * The simulation's batches, part by part, into the source tables of the SQL engine, which lie in files; its truth into one of its own.
 * Requests come in the order of their ids, each with all of its rows, so that their tables need no sorting but within a piece;
 * behaviours are put in order afterwards, some users at a time.
 */
import { setImmediate } from 'node:timers/promises';
import type { Duckdb } from '../../data/duckdb.js';
import { createFileTableOf } from '../../data/fileTable.js';
import { PiecewiseTable } from '../../data/piecewiseTable.js';
import type { Progress } from '../../run/progress.js';
import { sourceTable } from '../complete.js';
import { canonicalTables, type TableName } from '../tables.js';
import { simulatedSchemas, type SimulatedTable } from './record.js';
import { simulate } from './simulate.js';
import type { SimulationConfig } from './world.js';

/** The engine's table with the truth: never a source table, so that no stage can take it for logs. */
export const truthTable = 'simulated_truth';
const truthOrder = ['request_id', 'item_id'] as const;

/** Tables that are left in their total order. */
export const simulatedInOrder: readonly string[] = [
  'requests',
  'candidates',
  'feedback',
  'behaviours',
  'truth',
];

export async function loadSimulation(
  db: Duckdb,
  config: SimulationConfig,
  seed: number,
  progress: Progress,
): Promise<void> {
  const place = (table: SimulatedTable) => places[table] ?? sourceTable(table as TableName); // all others are tables of the logs
  const tables = new Map<string, PiecewiseTable>();
  for (const [table, schema] of Object.entries(simulatedSchemas)) {
    const name = place(table as SimulatedTable); // the keys of simulatedSchemas are its tables
    tables.set(table, await PiecewiseTable.open(db, name, schema, orderOf(table as SimulatedTable)));
  }
  const task = progress.begin('simulation', config.days, 'days');
  for (const { day, table, batch } of simulate(config, seed)) {
    await tables.get(table)!.append(batch);
    if (day > 0) task.update(day);
    await setImmediate(); // signals are heard, and memory of the engine's is freed, between two turns of the event loop
  }
  for (const table of tables.values()) await table.close();
  await sortBehaviours(db);
  task.end();
}

const behavioursByTime = 'simulated_behaviours';
const places: Partial<Record<SimulatedTable, string>> = { truth: truthTable, behaviours: behavioursByTime };

function orderOf(table: SimulatedTable): readonly string[] {
  if (!simulatedInOrder.includes(table) || table === 'behaviours') return [];
  return table === 'truth' ? truthOrder : canonicalTables[table].order;
}

/** Behaviours that are sorted at once. */
const rowsPerSort = 2 ** 18;

async function sortBehaviours(db: Duckdb): Promise<void> {
  const bounds = await db.rows(`
    SELECT min(user_id) AS low, max(user_id) AS high
    FROM (
      SELECT user_id, (sum(n) OVER (ORDER BY user_id) - n) // ${rowsPerSort} AS part
      FROM (SELECT user_id, count(*) AS n FROM ${behavioursByTime} GROUP BY user_id)
    )
    GROUP BY part
    ORDER BY part`);
  const queries = bounds.map(
    ({ low, high }) =>
      `SELECT * FROM ${behavioursByTime} WHERE user_id BETWEEN ${String(low)} AND ${String(high)}`,
  );
  const known = Object.keys(simulatedSchemas.behaviours);
  const order = canonicalTables.behaviours.order.filter((column) => known.includes(column)); // the others are all null
  await createFileTableOf(
    db,
    sourceTable('behaviours'),
    queries.length === 0 ? [`SELECT * FROM ${behavioursByTime}`] : queries,
    order.map((column) => `${column} NULLS FIRST`),
  );
}
