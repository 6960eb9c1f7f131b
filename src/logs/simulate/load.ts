/** The simulation's batches, part by part, into the source tables of the SQL engine; its truth into a table of its own. */
import { setImmediate } from 'node:timers/promises';
import type { Duckdb } from '../../data/duckdb.js';
import { createTable, TableAppender } from '../../data/tableAppender.js';
import type { Progress } from '../../run/progress.js';
import { sourceTable } from '../complete.js';
import { simulatedSchemas, type SimulatedTable } from './record.js';
import { simulate } from './simulate.js';
import type { SimulationConfig } from './world.js';

/** The engine's table with the truth: never a source table, so that no stage can take it for logs. */
export const truthTable = 'simulated_truth';

export async function loadSimulation(
  db: Duckdb,
  config: SimulationConfig,
  seed: number,
  progress: Progress,
): Promise<void> {
  const place = (table: SimulatedTable) => (table === 'truth' ? truthTable : sourceTable(table));
  const appenders = new Map<string, TableAppender>();
  for (const [table, schema] of Object.entries(simulatedSchemas)) {
    const name = place(table as SimulatedTable); // the keys of simulatedSchemas are its tables
    await createTable(db, name, schema);
    appenders.set(table, await TableAppender.open(db, name, schema));
  }
  const task = progress.begin('simulation', config.days, 'days');
  for (const { day, table, batch } of simulate(config, seed)) {
    appenders.get(table)!.append(batch);
    if (day > 0) task.update(day);
    await setImmediate(); // signals are heard, and memory of the engine's is freed, between two turns of the event loop
  }
  for (const appender of appenders.values()) appender.close();
  task.end();
}
