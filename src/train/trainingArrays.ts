/** The arrays of a training by the names they have in a checkpoint: saving writes them, going on copies back into them. */
import { MemoryTable } from '../engine/tables/embeddings.js';
import type { TrainedModel } from '../engine/gradients.js';
import type { StoredTensor } from '../engine/safetensors.js';
import type { ModelState } from '../engine/state.js';
import { internal } from '../errors.js';

type Arrays = Readonly<Record<string, StoredTensor>>;

/** Models as they are, with the optimiser's state, and the best states so far; of tables in files what says where rows are. */
export function trainingArrays(
  models: Readonly<Record<string, TrainedModel>>,
  best: Readonly<Record<string, ModelState>>,
): Arrays {
  const arrays: Record<string, StoredTensor> = {};
  const flat = (name: string, values: Float32Array | Int32Array) => {
    arrays[name] = { shape: [values.length], values };
  };
  for (const [name, { state, slots, rows }] of Object.entries(models)) {
    flat(`now/${name}/vector`, state.vector);
    slots.forEach((slot, i) => {
      flat(`now/${name}/slot ${i}`, slot);
    });
    for (const [key, values] of Object.entries(rows.store.arrays())) flat(`now/${name}/${key}`, values);
  }
  for (const [name, { vector, table }] of Object.entries(best)) {
    flat(`best/${name}/vector`, vector);
    if (table instanceof MemoryTable) flat(`best/${name}/table`, table.values);
  }
  return arrays;
}

/** Copies what a checkpoint holds into the arrays of the same names. */
export function restoreArrays(arrays: Arrays, stored: Arrays): void {
  for (const [name, { values }] of Object.entries(arrays)) {
    const from = stored[name]?.values ?? internal(`checkpoint without ${name}`);
    if (from.length !== values.length)
      internal(`checkpoint holds ${from.length} numbers for the ${values.length} of ${name}`);
    values.set(from as never); // the same name has the same type
  }
}

const logPrefix = 'log/';

/** The per-step log: values that the steps reported, single precision as they are. */
export function logArrays(log: Readonly<Record<string, readonly number[]>>): Arrays {
  return Object.fromEntries(
    Object.entries(log).map(([name, values]) => [
      `${logPrefix}${name}`,
      { shape: [values.length], values: Float32Array.from(values) },
    ]),
  );
}

export function restoreLog(stored: Arrays): Record<string, number[]> {
  return Object.fromEntries(
    Object.entries(stored).flatMap(([name, { values }]) =>
      name.startsWith(logPrefix) ? [[name.slice(logPrefix.length), Array.from(values, Number)] as const] : [],
    ),
  );
}
