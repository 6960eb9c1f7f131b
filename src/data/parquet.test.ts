import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { columnsOf, type Schema } from './columns.js';
import { Duckdb } from './duckdb.js';
import { parquetColumns, parquetSource, writeBatches, writeQuery } from './parquet.js';

const schema = {
  id: 'BIGINT',
  flag: 'BOOLEAN',
  small: 'TINYINT',
  score: 'FLOAT',
  text: 'VARCHAR',
  at: 'TIMESTAMP_MS',
  ids: 'BIGINT[]',
  labels: 'TINYINT[]',
  scores: 'FLOAT[]',
  words: 'VARCHAR[]',
} satisfies Schema;

const rows = [
  {
    id: 9007199254740993n,
    flag: true,
    small: -3,
    score: 0.25,
    text: 'plain',
    at: 1650812741436n,
    ids: [1n, 9007199254740995n],
    labels: [0, 1],
    scores: [0.5, null],
    words: ['a', 'a text longer than twelve bytes'],
  },
  {
    id: 2n,
    flag: false,
    small: 4,
    score: Number.NaN,
    text: 'ünïcødé text longer than twelve',
    at: 0n,
    ids: [],
    labels: [],
    scores: [],
    words: [],
  },
  {
    id: 3n,
    flag: null,
    small: null,
    score: null,
    text: null,
    at: null,
    ids: null,
    labels: [1],
    scores: [1e-30],
    words: [null],
  },
];

describe('Parquet through DuckDB', () => {
  let folder: string;
  let db: Duckdb;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cascade-parquet-'));
    db = await Duckdb.open({ threads: 2, memoryLimit: '512MB', spillFolder: join(folder, 'spill') });
  });
  afterAll(async () => {
    await db.close();
    await rm(folder, { recursive: true });
  });

  it('writes and reads back every type, nulls, empty lists, int64 beyond 2^53 and NaN', async () => {
    const path = join(folder, 'all.parquet');
    await writeBatches(db, schema, [columnsOf(schema, rows)], path, { schema_version: '1' });
    const expected = columnsOf(schema, rows);
    const { columns } = await db.batch(
      `SELECT * REPLACE (CAST("at" AS TIMESTAMP_MS) AS "at") FROM ${parquetSource(path)}`,
    );
    expect(columns).toEqual(expected.columns);
  });

  it('is read alike by an independent reader', async () => {
    const path = join(folder, 'independent.parquet');
    await writeBatches(db, schema, [columnsOf(schema, rows)], path);
    const read = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors });
    expect(read.map((row): unknown => row.id)).toEqual([9007199254740993n, 2n, 3n]);
    expect(read.map((row): unknown => row.ids ?? null)).toEqual([[1n, 9007199254740995n], [], null]);
    expect(read[0]!.at).toEqual(new Date(1650812741436));
    expect(read[1]!.score).toBeNaN();
  });

  it('survives chunk borders: 5,000 rows of lists over several chunks', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => ({
      id: BigInt(i),
      ids: Array.from({ length: i % 7 }, (_, j) => BigInt(i * 10 + j)),
    }));
    const path = join(folder, 'many.parquet');
    const listSchema = { id: 'BIGINT', ids: 'BIGINT[]' } as const;
    expect(await writeBatches(db, listSchema, [columnsOf(listSchema, many)], path)).toBe(5000);
    const back = await db.batch(`SELECT id, ids FROM ${parquetSource(path)} ORDER BY id`);
    expect(back.columns).toEqual(columnsOf(listSchema, many).columns);
    const reversed = await db.batch(`SELECT id, ids FROM ${parquetSource(path)} ORDER BY id DESC`);
    expect(reversed.columns).toEqual(columnsOf(listSchema, many.toReversed()).columns);
  });

  it('gives the same bytes for the same rows', async () => {
    const query = `SELECT range AS id, range % 3 AS part FROM range(200000) ORDER BY range`;
    await writeQuery(db, query, join(folder, 'x.parquet'), { time_zone: '+08:00' });
    await writeQuery(db, query, join(folder, 'y.parquet'), { time_zone: '+08:00' });
    expect(await readFile(join(folder, 'x.parquet'))).toEqual(await readFile(join(folder, 'y.parquet')));
  });

  it('says that a cut-off file is damaged and how to mend it', async () => {
    const path = join(folder, 'cut.parquet');
    await writeQuery(db, 'SELECT range AS id FROM range(1000)', path);
    await truncate(path, 300);
    await expect(parquetColumns(db, path)).rejects.toMatchObject({
      problems: [{ code: 'data.damaged_file', where: path }],
    });
  });

  it('says that a file is missing', async () => {
    await expect(parquetColumns(db, join(folder, 'none.parquet'))).rejects.toMatchObject({
      problems: [{ code: 'data.missing_file' }],
    });
    await expect(parquetColumns(db, join(folder, 'none*.parquet'))).rejects.toMatchObject({
      problems: [{ code: 'data.missing_file' }],
    });
  });
});
