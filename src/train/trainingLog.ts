/** The per-step table of a training: training_log (model, step, name, value), values as the step reported them. */
import type { Batch, Schema } from '../data/columns.js';
import { writeBatches } from '../data/parquet.js';
import type { Stage } from '../run/stage.js';
import type { TrainingLog } from './fitPlan.js';

const schema = {
  model: 'VARCHAR',
  step: 'INTEGER',
  name: 'VARCHAR',
  value: 'FLOAT',
} as const satisfies Schema;

function* batches(logs: Readonly<Record<string, TrainingLog>>): Generator<Batch> {
  for (const [model, log] of Object.entries(logs)) {
    for (const name of Object.keys(log).toSorted()) {
      const values = log[name]!;
      const rows = values.length;
      yield {
        rows,
        columns: {
          model: { values: Array<string>(rows).fill(model) },
          step: { values: Int32Array.from(values, (_, i) => i + 1) },
          name: { values: Array<string>(rows).fill(name) },
          value: { values: Float32Array.from(values) },
        },
      };
    }
  }
}

export async function writeTrainingLog(
  stage: Stage,
  logs: Readonly<Record<string, TrainingLog>>,
): Promise<void> {
  await stage.withDuckdb((db) =>
    stage.write('training_log/part-00000.parquet', (path) => writeBatches(db, schema, batches(logs), path)),
  );
}
