/** The simulation's batches, day by day, into the source tables of the SQL engine; its truth into a table of its own. */
import type { Duckdb } from '../../data/duckdb.js';
import { appendBatches, createTable } from '../../data/parquet.js';
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
  for (const [table, schema] of Object.entries(simulatedSchemas)) {
    await createTable(db, place(table as SimulatedTable), schema); // the keys of simulatedSchemas are its tables
  }
  const task = progress.begin('simulation', config.days, 'days');
  let days = 0;
  for (const { table, batch } of simulate(config, seed)) {
    await appendBatches(db, place(table), simulatedSchemas[table], [batch]);
    if (table === 'requests') task.update(++days); // one batch a day
  }
  task.end();
}
