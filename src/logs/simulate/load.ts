/**
 * The simulation's batches, part by part, into the source tables of the SQL engine, which lie in files; its truth into one of its own.
 * Requests come in the order of their ids, each with all of its rows, so that their tables need no sorting but within a piece.
 */
import { setImmediate } from 'node:timers/promises';
import type { Duckdb } from '../../data/duckdb.js';
import { PiecewiseTable } from '../../data/piecewiseTable.js';
import type { Progress } from '../../run/progress.js';
import { sourceTable } from '../complete.js';
import { canonicalTables } from '../tables.js';
import { simulatedSchemas, type SimulatedTable } from './record.js';
import { simulate } from './simulate.js';
import type { SimulationConfig } from './world.js';

/** The engine's table with the truth: never a source table, so that no stage can take it for logs. */
export const truthTable = 'simulated_truth';
const truthOrder = ['request_id', 'item_id'] as const;

/** Tables that are left in their total order. */
export const simulatedInOrder: readonly string[] = ['requests', 'candidates', 'feedback', 'truth'];

export async function loadSimulation(
  db: Duckdb,
  config: SimulationConfig,
  seed: number,
  progress: Progress,
): Promise<void> {
  const place = (table: SimulatedTable) => (table === 'truth' ? truthTable : sourceTable(table));
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
  task.end();
}

function orderOf(table: SimulatedTable): readonly string[] {
  if (!simulatedInOrder.includes(table)) return [];
  return table === 'truth' ? truthOrder : canonicalTables[table].order;
}
