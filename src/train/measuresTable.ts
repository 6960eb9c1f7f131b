/**
 * `measures`: model, epoch, name, value: what each training was watched by, epoch by epoch. `loss/…` is the mean of a term over the
 * epoch before its weight; the other names are those of watch.ts. In the order of model, epoch and name.
 */
import { columnsOf, type Schema } from '../data/columns.js';
import { writeBatches } from '../data/parquet.js';
import type { Stage } from '../run/stage.js';
import type { FitResult } from './fitPlan.js';

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
    result.epochs.flatMap(({ epoch, terms, measures }) => {
      const losses = Object.entries(terms).map(([name, value]) => [`loss/${name}`, value] as const);
      const all = new Map([...losses, ...Object.entries(measures)]);
      // By name: a training that was cut off has them in the order of its checkpoint.
      return [...all.keys()].toSorted().map((name) => ({ model, epoch, name, value: all.get(name)! }));
    }),
  );
  await stage.withDuckdb((db) =>
    stage.write('measures/part-00000.parquet', (path) =>
      writeBatches(db, schema, [columnsOf(schema, rows)], path),
    ),
  );
}
