/**
 * The user's own item vectors (`codebook.item_vectors`): found, checked and brought into the order of the encoded items by the
 * codebook stage, whose file those after it read.
 *
 * Vectors count by direction alone and are stored at unit length. An item without one stands at the mean of all directions: what its
 * vector is expected to be while nothing is known of it, and so the point whose squared distance to the right one is least.
 */
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import type { Config } from '../config/config.js';
import { nearest } from '../config/nearest.js';
import type { ListColumn, ScalarColumn } from '../data/columns.js';
import type { Duckdb } from '../data/duckdb.js';
import { itemVectorsBytes } from '../data/itemVectors.js';
import { parquetSource } from '../data/parquet.js';
import { appendBatches, createTable } from '../data/tableAppender.js';
import { readEntities } from '../data/shards.js';
import { CascadeError, type Problem } from '../errors.js';
import { castTo } from '../logs/casts.js';
import { counted } from '../logs/check.js';
import { commonColumns } from '../logs/ownColumns.js';
import { vectorFiles } from '../logs/sources.js';
import type { Stage } from '../run/stage.js';
import { checkVectors, type ItemVectorsConfig } from './itemVectorRules.js';

const vectorsFile = 'item_vectors.arrow';

/** Where stage `codebook` writes them. */
export const vectorsPath = (stage: Stage) => join(stage.folder, vectorsFile);

export interface VectorFacts {
  readonly width: number;
  readonly items: number;
  readonly withVector: number;
  /** Rows of the files that no item of the logs has. */
  readonly unknownRows: number;
  /** |mean of the unit vectors|^2: 0 = directions spread all around, 1 = all alike. */
  readonly meanCosine: number;
}

/** The file that the codebook stage left, or null where items are coded by what is learned. */
export const storedVectors = async (stage: Stage, { codebook }: Config): Promise<string | null> =>
  codebook.itemVectors ? stage.read('codebook', vectorsFile) : null;

/** Writes the vectors of all items; returns the file and what was found. */
export async function writeItemVectors(
  stage: Stage,
  { codebook }: Config,
): Promise<{ path: string; facts: VectorFacts } | null> {
  if (!codebook.itemVectors) return null;
  const files = await vectorFiles(codebook);
  const paths: string[] = [];
  for (const { name } of files) paths.push(await stage.readSource(name));
  const { ids } = readEntities(await stage.read('samples', 'encoded/items.arrow'));
  const settings = codebook.itemVectors;
  const { values, facts } = await stage.withDuckdb(async (db) => {
    await openVectors(db, paths, settings, ids);
    const width = await checkVectors(db, paths, settings, ids);
    return inOrderOfItems(db, ids.length, width);
  });
  await stage.write(vectorsFile, async (temporary) => {
    await writeFile(temporary, itemVectorsBytes({ width: facts.width, values }));
    return ids.length;
  });
  return { path: vectorsPath(stage), facts };
}

/** One line for the terminal, and one of advice where directions hardly differ. */
export function vectorLines({ width, items, withVector, unknownRows, meanCosine }: VectorFacts): string[] {
  const left = items - withVector;
  return [
    `item vectors: ${width} numbers each, for ${withVector.toLocaleString('en-US')} of ${counted(items, 'item')}` +
      (left > 0 ? `; ${left.toLocaleString('en-US')} without one stand at the mean direction` : '') +
      (unknownRows > 0 ? `; ${counted(unknownRows, 'row')} of other items passed over` : '') +
      `; mean cosine of two items ${meanCosine.toFixed(2)}`,
    ...(meanCosine > 0.5
      ? [
          'note: all vectors point much the same way; subtract their mean before writing them, and items will differ more',
        ]
      : []),
  ];
}

// ------------------------------------------------------------------------------------------------------------- opening

/** Leaves the relations `vector_rows` (all rows) and `item_vectors` (those of items of the logs, with their place). */
async function openVectors(
  db: Duckdb,
  paths: readonly string[],
  settings: ItemVectorsConfig,
  ids: BigInt64Array,
): Promise<void> {
  const types = await commonColumns(db, paths);
  const { idColumn, vectorColumn } = settings;
  const id = types[idColumn];
  const vector = types[vectorColumn];
  const file = paths[0]!;
  if (id === undefined || vector === undefined) {
    throw new CascadeError([
      ...(id === undefined ? [missingColumn(types, idColumn, 'id_column', file)] : []),
      ...(vector === undefined ? [missingColumn(types, vectorColumn, 'vector_column', file)] : []),
    ]);
  }
  const idCast = castTo('BIGINT', id);
  const vectorCast = castTo('DOUBLE[]', vector.replace(/\[\d+\]$/, '[]'));
  if (!idCast || !vectorCast) {
    throw new CascadeError([
      ...(idCast ? [] : [wrongId(idColumn, id, file)]),
      ...(vectorCast ? [] : [wrongVector(vectorColumn, vector, file)]),
    ]);
  }
  await db.run(`
    CREATE TEMPORARY VIEW vector_rows AS
    SELECT file_row_number + 1 AS row, "${idColumn}" IS NULL AS is_without_id, ${idCast.sql(`"${idColumn}"`)} AS item_id,
           ${vectorCast.sql(`"${vectorColumn}"`)} AS vector
    FROM ${parquetSource(paths, ['file_row_number = true'])}`);
  const schema = { item_id: 'BIGINT', place: 'INTEGER' } as const;
  const places = Int32Array.from(ids, (_, place) => place);
  await createTable(db, 'known_items', schema);
  await appendBatches(db, 'known_items', schema, [
    { rows: ids.length, columns: { item_id: { values: ids }, place: { values: places } } },
  ]);
  await db.run(
    'CREATE TEMPORARY VIEW item_vectors AS SELECT place, item_id, vector FROM vector_rows JOIN known_items USING (item_id)',
  );
}

function missingColumn(
  types: Readonly<Record<string, string>>,
  name: string,
  key: 'id_column' | 'vector_column',
  file: string,
): Problem {
  const near = nearest(name, Object.keys(types));
  return {
    code: 'data.missing_column',
    where: file,
    subject: name,
    what: `There is no column \`${name}\`. The file has: ${Object.keys(types).join(', ')}.`,
    mend: `Say which column it is: codebook.item_vectors.${key}: ${near ?? '<your column>'}.`,
  };
}

const wrongId = (name: string, type: string, file: string): Problem => ({
  code: 'data.wrong_type',
  where: file,
  subject: name,
  what: `Column \`${name}\` is ${type}; ids of items are whole numbers (BIGINT), as in \`items\`.`,
  mend: /CHAR|UUID|ENUM/.test(type)
    ? 'Number the texts the same way as in the table `items`.'
    : `Write it as BIGINT, for example with CAST(${name} AS BIGINT) in the query that makes the file.`,
});

const wrongVector = (name: string, type: string, file: string): Problem => ({
  code: 'data.wrong_type',
  where: file,
  subject: name,
  what: `Column \`${name}\` is ${type}; a vector is a list of numbers, such as FLOAT[].`,
  mend: 'Write one list of numbers per item; with a column per coordinate, for example with [x1, x2, x3] AS vector.',
});

// ------------------------------------------------------------------------------------------------------------- reading

/** Unit vectors by place of the item; those without one get the mean of the others. */
async function inOrderOfItems(
  db: Duckdb,
  items: number,
  width: number,
): Promise<{ values: Float32Array; facts: VectorFacts }> {
  const values = new Float32Array(items * width);
  const has = new Uint8Array(items);
  for await (const batch of db.stream('SELECT place, vector FROM item_vectors')) {
    const places = (batch.columns.place as ScalarColumn).values as Int32Array; // INTEGER: see openVectors, also below
    const { offsets, child } = batch.columns.vector as ListColumn;
    const numbers = child.values as Float64Array;
    places.forEach((place, row) => {
      has[place] = 1;
      writeUnit(numbers.subarray(offsets[row], offsets[row + 1]), values, place * width);
    });
  }
  const mean = meanOf(values, width, has);
  has.forEach((known, item) => {
    if (!known) values.set(mean, item * width);
  });
  const withVector = has.reduce((sum, known) => sum + known, 0);
  const unknownRows = (await db.number('SELECT count(*) FROM vector_rows')) - withVector;
  const meanCosine = mean.reduce((sum, value) => sum + value * value, 0);
  return { values, facts: { width, items, withVector, unknownRows, meanCosine } };
}

function writeUnit(vector: Float64Array, values: Float32Array, at: number): void {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  vector.forEach((value, i) => (values[at + i] = value / length));
}

/** In the order of items, so that the order in which rows were read does not show. */
function meanOf(values: Float32Array, width: number, has: Uint8Array): Float64Array {
  const sum = new Float64Array(width);
  let count = 0;
  has.forEach((known, item) => {
    if (!known) return;
    count++;
    for (let i = 0; i < width; i++) sum[i]! += values[item * width + i]!;
  });
  return sum.map((value) => value / count);
}
