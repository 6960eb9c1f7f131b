/**
 * `measures`: model, epoch, name, value: what each training was watched by, epoch by epoch. `loss/…` is the mean of a term over the
 * epoch before its weight; the other names are those of watch.ts.
 */
import { columnsOf, type Schema } from '../data/columns.js';
import { writeBatches } from '../data/parquet.js';
import type { Stage } from '../run/stage.js';
import type { FitResult } from './fit.js';

const schema = {
  model: 'VARCHAR',
  epoch: 'DOUBLE',
  name: 'VARCHAR',
  value: 'DOUBLE',
} as const satisfies Schema;

export async function writeMeasures(
  stage: Stage,
  trainings: readonly { readonly model: string; readonly result: FitResult }[],
): Promise<void> {
  const rows = trainings.flatMap(({ model, result }) =>
    result.epochs.flatMap(({ epoch, terms, measures }) => [
      ...Object.entries(terms).map(([name, value]) => ({ model, epoch, name: `loss/${name}`, value })),
      ...Object.entries(measures).map(([name, value]) => ({ model, epoch, name, value })),
    ]),
  );
  await stage.withDuckdb((db) =>
    stage.write('measures/part-00000.parquet', (path) =>
      writeBatches(db, schema, [columnsOf(schema, rows)], path),
    ),
  );
}
