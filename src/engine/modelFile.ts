/**
 * The file of a finished model, in the safetensors format: every dense parameter under its name, and its embeddings.
 *
 * - A table in memory whole: `embeddings` [row, width].
 * - Of a sparse table the rows that training has changed: `embeddings/ids` [kept], ascending row numbers, and `embeddings/rows`
 *   [kept, width]. The metadata `embeddings` is JSON of what the other rows are made from: rows and width of the table, deviation, and
 *   key, two 32-bit integers a and b. Row r is then `deviation` times the first `width` standard normals (Box and Muller: radius from
 *   the first uniform, angle from the second) of the generator sfc32 with state (a, b, r, 1) after 12 draws (random.ts, seededTable.ts).
 */
import { closeSync, openSync } from 'node:fs';
import { internal } from '../errors.js';
import {
  isSparse,
  MemoryTable,
  type EmbeddingTable,
  type Seeding,
  type SparseTable,
} from './tables/embeddings.js';
import {
  openSafetensors,
  writeSafetensors,
  type StoredTensor,
  type StreamedTensor,
  type TensorFile,
} from './safetensors.js';
import { modelState, type Initial, type ModelState } from './state.js';
import { StoredTable } from './tables/storedTable.js';

const wholeTable = 'embeddings';
const keptIds = 'embeddings/ids';
const keptValues = 'embeddings/rows';
const seedingKey = 'embeddings';

export async function writeModel(path: string, { layout, vector, table }: ModelState): Promise<void> {
  const dense = layout.entries.map(({ name, shape }) => [name, { shape, values: layout.view(vector, name) }]);
  const embeddings = storedTable(table);
  const tensors = { ...(Object.fromEntries(dense) as Record<string, StoredTensor>), ...embeddings.tensors };
  await writeSafetensors(path, { tensors, metadata: embeddings.metadata });
}

/** A model from its file; `closeLater` is given what stays open where rows are read from it when they are needed. */
export async function readModel(
  path: string,
  closeLater: (file: { close(): void }) => void,
): Promise<ModelState> {
  const file = await openSafetensors(path);
  const initial: Record<string, Initial[string]> = {};
  const isTable = (name: string) => [wholeTable, keptIds, keptValues].includes(name);
  for (const name of file.names.filter((other) => !isTable(other))) {
    initial[name] = { shape: file.shapeOf(name), values: floats(path, name, await file.read(name)) };
  }
  if (file.names.includes(wholeTable)) {
    const [rows, width] = file.shapeOf(wholeTable) as [number, number];
    const values = floats(path, wholeTable, await file.read(wholeTable));
    return modelState(initial, MemoryTable.from(rows, width, values));
  }
  const seeding = file.metadata[seedingKey] ?? internal(`${path} has no embeddings`);
  const open = openSync(path, 'r');
  closeLater({
    close: () => {
      closeSync(open);
    },
  });
  const table = new StoredTable(JSON.parse(seeding) as Seeding, {
    file: open,
    count: file.shapeOf(keptIds)[0]!,
    idsAt: file.placeOf(keptIds),
    valuesAt: file.placeOf(keptValues),
  });
  return modelState(initial, table);
}

function storedTable(table: EmbeddingTable): TensorFile<StoredTensor | StreamedTensor> {
  if (isSparse(table)) return storedRows(table);
  if (!(table instanceof MemoryTable)) return internal('a table that is neither in memory nor sparse');
  const { rows, width, values } = table;
  return { tensors: { [wholeTable]: { shape: [rows, width], values } }, metadata: {} };
}

function storedRows(table: SparseTable): TensorFile<StreamedTensor> {
  const { width } = table;
  let count = 0;
  for (const ids of table.keptRows()) count += ids.length;
  function* values(): Generator<Float32Array> {
    for (const ids of table.keptRows()) {
      const rows = new Float32Array(ids.length * width);
      table.gather(ids, ids.length, rows);
      yield rows;
    }
  }
  return {
    tensors: {
      [keptIds]: { shape: [count], type: 'I32', chunks: () => table.keptRows() },
      [keptValues]: { shape: [count, width], type: 'F32', chunks: values },
    },
    metadata: { [seedingKey]: JSON.stringify(table.first) },
  };
}

const floats = (path: string, name: string, values: StoredTensor['values']): Float32Array =>
  values instanceof Float32Array ? values : internal(`${path}: ${name} is not of type float32`);
