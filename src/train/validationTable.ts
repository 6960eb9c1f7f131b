/** `validation`: model, epoch, step, auc, best: how each training went, epoch by epoch. */
import { columnsOf, type Schema } from '../data/columns.js';
import { writeBatches } from '../data/parquet.js';
import type { Stage } from '../run/stage.js';
import type { FitResult } from './fitPlan.js';

const schema = {
  model: 'VARCHAR',
  epoch: 'DOUBLE',
  step: 'INTEGER',
  auc: 'DOUBLE',
  is_best: 'BOOLEAN',
} as const satisfies Schema;

export async function writeValidationTable(
  stage: Stage,
  trainings: readonly { readonly model: string; readonly result: FitResult }[],
): Promise<void> {
  const rows = trainings.flatMap(({ model, result }) =>
    result.epochs.map((report) => ({
      model,
      epoch: report.epoch,
      step: report.step,
      auc: report.validationAuc,
      is_best: report === result.bestEpoch,
    })),
  );
  await stage.withDuckdb((db) =>
    stage.write('validation/part-00000.parquet', (path) =>
      writeBatches(db, schema, [columnsOf(schema, rows)], path),
    ),
  );
}
