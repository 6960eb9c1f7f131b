/** The user's own item vectors, from Parquet files to the order of the encoded items; what is wrong with them, in words. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { at, buildFrom, configOf, temporaryFolder, type Built } from '../../test/support/canonicalLogs.js';
import { otherDays, request, shown, together } from '../../test/support/logRows.js';
import type { Config } from '../config/config.js';
import { Duckdb } from '../data/duckdb.js';
import { readItemVectors } from '../data/itemVectors.js';
import { describeError } from '../errors.js';
import { vectorFiles } from '../logs/sources.js';
import type { Manifest } from '../run/manifest.js';
import { silentProgress } from '../run/progress.js';
import { Stage } from '../run/stage.js';
import { vectorLines, writeItemVectors } from './itemVectors.js';

/** Items 1 to 4, and 900 of the other days: in the encoded order 1, 2, 3, 4, 900. */
const logs = together(otherDays, {
  requests: [request(1, at(1))],
  candidates: [1, 2, 3, 4].map((item) => shown(1, item)),
  items: [1, 2, 3, 4].map((item) => ({ item_id: item })),
});
let built: Built;

beforeAll(async () => {
  built = await buildFrom(logs);
});

/** Writes Parquet files of these queries into one folder and reads them as the codebook stage does. */
async function read(queries: readonly string[], settings: Record<string, unknown> = {}) {
  const folder = await temporaryFolder();
  const db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: join(folder, 'spill') });
  for (const [i, query] of queries.entries()) {
    const file = join(folder, 'vectors', `${i}.parquet`);
    mkdirSync(dirname(file), { recursive: true });
    await db.run(`COPY (${query}) TO '${file}' (FORMAT parquet)`);
  }
  await db.close();
  const path = join(folder, 'vectors');
  const config: Config = configOf({ codebook: { item_vectors: { path, ...settings } } });
  const samples = { outputs: built.stage.outputs } as Manifest; // all that a stage asks of it
  const sources = await vectorFiles(config.codebook);
  const stage = new Stage(
    'codebook',
    built.runFolder,
    config,
    silentProgress,
    new Map([['samples', samples]]),
    sources,
  );
  const written = await writeItemVectors(stage, config);
  const { width, values } = readItemVectors(written!.path);
  const rows = Array.from({ length: values.length / width }, (_, item) =>
    Array.from(values.subarray(item * width, (item + 1) * width), (value) => Math.round(1e4 * value) / 1e4),
  );
  return { rows, facts: written!.facts, inputs: stage.inputs.map(({ path }) => path) };
}

const complaint = async (queries: readonly string[], settings?: Record<string, unknown>) =>
  read(queries, settings).then(
    () => 'no problem',
    (error: unknown) => describeError(error).replaceAll(/\S*\/vectors(?=\/)/g, '…'),
  );

/** Rows of (id, vector) as a query. */
const rows = (...values: readonly string[]) =>
  `SELECT item_id, vector FROM (VALUES ${values.map((value) => `(${value})`).join(', ')}) t (item_id, vector)`;
const sound = ['1, [3.0, 4.0]', '2, [0.0, 2.0]', '3, [-1.0, 0.0]', '900, [0.6, 0.8]'];

describe('item vectors', () => {
  it('come in the order of the encoded items and at unit length, from any number of files', async () => {
    const all = [rows('900, [0.6, 0.8]', '77, [1.0, 1.0]'), rows('4, [5.0, 0.0]', ...sound.slice(0, 3))];
    const { rows: found, facts, inputs } = await read(all);
    expect(found).toEqual([
      [0.6, 0.8],
      [0, 1],
      [-1, 0],
      [1, 0],
      [0.6, 0.8],
    ]);
    expect(facts).toMatchObject({ width: 2, items: 5, withVector: 5, unknownRows: 1 });
    expect(facts.meanCosine).toBeCloseTo((0.6 + 0 - 1 + 1 + 0.6) ** 2 / 25 + (0.8 + 1 + 0.8) ** 2 / 25, 6);
    expect(inputs).toEqual([
      'item_vectors/0.parquet',
      'item_vectors/1.parquet',
      'samples/encoded/items.arrow',
    ]);
  });

  it('of items without one are the mean of all directions', async () => {
    const { rows: found, facts } = await read([rows(...sound)], { min_coverage: 0.8 });
    expect(found[3]).toEqual([0.05, 0.65]); // ((.6 + 0 - 1 + .6) / 4, (.8 + 1 + 0 + .8) / 4)
    expect(vectorLines(facts)).toEqual([
      'item vectors: 2 numbers each, for 4 of 5 items; 1 without one stand at the mean direction; mean cosine of two items 0.43',
    ]);
  });

  it('may have other names, whole numbers of any width and fixed-size lists', async () => {
    const query =
      'SELECT CAST(range + 1 AS UTINYINT) AS "Item", [1, range]::INTEGER[2] AS "e" FROM range(4) UNION ALL SELECT 132, [0, 1]';
    const ids = { id_column: 'Item', vector_column: 'e', min_coverage: 0.8 };
    expect((await read([query], ids)).rows[1]).toEqual([0.7071, 0.7071]);
  });

  it('that hardly differ come with advice', () => {
    const facts = { width: 2, items: 5, withVector: 5, unknownRows: 0, meanCosine: 0.9 };
    expect(vectorLines(facts)[1]).toMatch(/subtract their mean/);
    expect(vectorLines({ ...facts, meanCosine: 0.4 })).toHaveLength(1);
  });
});

describe('item vectors are refused, with the item and how to mend it', () => {
  it.each([
    [
      'a null id',
      [...sound, 'NULL, [1.0, 1.0]'],
      `error  data.null_value  …/0.parquet  item_id
       1 row without an id; for example: row 5.
       Leave them out: a vector without an item stands for nothing.`,
    ],
    [
      'two vectors of one item',
      [...sound, '2, [0.0, 2.0]'],
      `error  data.duplicate_key  …/0.parquet  item_id
       1 item with more than one vector; for example: item_id 2, times 2.
       Keep one row per item, for example with QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY …) = 1.`,
    ],
    [
      'a null vector',
      [...sound, '4, NULL'],
      `error  data.bad_vector  …/0.parquet  vector
       1 item with a null in place of the vector; for example: item_id 4.
       Leave their rows out: items without a vector stand at the mean direction.`,
    ],
    [
      'another length',
      [...sound, '4, [1.0]'],
      `error  data.bad_vector  …/0.parquet  vector
       1 item with a vector of another length than most, which have 2 numbers; for example: item_id 4, length 1.
       Write vectors of one model only; all must have the same length.`,
    ],
    [
      'a null within',
      [...sound, '4, [1.0, NULL]'],
      `error  data.bad_vector  …/0.parquet  vector
       1 item with a number that is null, infinite or NaN in the vector; for example: item_id 4, place 2.
       Find out why the model gave it, or leave these rows out.`,
    ],
    [
      'a number that is none',
      [...sound, "4, ['inf'::DOUBLE, 1.0]"],
      `error  data.bad_vector  …/0.parquet  vector
       1 item with a number that is null, infinite or NaN in the vector; for example: item_id 4, place 1.
       Find out why the model gave it, or leave these rows out.`,
    ],
    [
      'no direction',
      [...sound, '4, [0.0, 0.0]'],
      `error  data.bad_vector  …/0.parquet  vector
       1 item with a vector of no direction: empty, of zeros, or with numbers beyond 1e100; for example: item_id 4.
       Leave their rows out: items without a vector stand at the mean direction.`,
    ],
    [
      'too few',
      sound.slice(1, 3),
      `error  data.few_vectors  …/0.parquet  item_id
       2 of 5 items have a vector, less than the share of 0.6 that codebook.item_vectors.min_coverage asks for. The first ids here are 2, 3; those of the items 1, 2, 3.
       Number items as the table \`items\` does, write the missing vectors, or lower codebook.item_vectors.min_coverage.`,
    ],
  ])('%s', async (_, values, expected) => {
    expect(await complaint([rows(...values)], { min_coverage: 0.6 })).toBe(expected);
  });

  it('vectors without a number, and ids of other items, however few are asked for', async () => {
    const empty = ['1, []', '2, []', '3, []', '4, []', '900, []'];
    expect(await complaint([rows(...empty)])).toMatch(
      /data\.bad_vector .*\n.*5 items with a vector of no direction/,
    );
    const others = ['17, [1.0, 2.0]', '18, [1.0, 2.0]'];
    expect(await complaint([rows(...others)], { min_coverage: 0 })).toMatch(
      /data\.few_vectors .*\n.*0 of 5 items have a vector.* first ids here are 17, 18/,
    );
  });

  it('all that is wrong together', async () => {
    const text = await complaint([rows(...sound, '2, [1.0]', '4, NULL')]);
    expect(text.match(/^error {2}\S+/gm)).toEqual([
      'error  data.duplicate_key',
      'error  data.bad_vector',
      'error  data.bad_vector',
    ]);
  });

  it.each([
    [
      'SELECT 1 AS item_id, [1.0] AS vectors',
      `error  data.missing_column  …/0.parquet  vector
       There is no column \`vector\`. The file has: item_id, vectors.
       Say which column it is: codebook.item_vectors.vector_column: vectors.`,
    ],
    [
      `SELECT 'a' AS item_id, [1.0] AS vector`,
      `error  data.wrong_type  …/0.parquet  item_id
       Column \`item_id\` is VARCHAR; ids of items are whole numbers (BIGINT), as in \`items\`.
       Number the texts the same way as in the table \`items\`.`,
    ],
    [
      'SELECT 1.5::DOUBLE AS item_id, [1.0] AS vector',
      `error  data.wrong_type  …/0.parquet  item_id
       Column \`item_id\` is DOUBLE; ids of items are whole numbers (BIGINT), as in \`items\`.
       Write it as BIGINT, for example with CAST(item_id AS BIGINT) in the query that makes the file.`,
    ],
    [
      `SELECT 1 AS item_id, 'x' AS vector`,
      `error  data.wrong_type  …/0.parquet  vector
       Column \`vector\` is VARCHAR; a vector is a list of numbers, such as FLOAT[].
       Write one list of numbers per item; with a column per coordinate, for example with [x1, x2, x3] AS vector.`,
    ],
  ])('columns: %s', async (query, expected) => {
    expect(await complaint([query])).toBe(expected);
  });

  it('files that cannot be read', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'cut.parquet');
    writeFileSync(path, 'PAR1, and then nothing');
    expect(await complaint([], { path })).toMatch(/^error {2}data\.damaged_file .*cut\.parquet/);
  });

  it('files of different schemas, and paths where nothing is', async () => {
    expect(await complaint([rows(...sound), 'SELECT 4 AS item_id, [1] AS vector'])).toContain(
      'data.mixed_schema',
    );
    expect(await complaint([])).toMatch(/data\.missing_file .*codebook\.item_vectors\.path/);
  });
});
