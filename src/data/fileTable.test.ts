import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { Duckdb } from './duckdb.js';
import { createFileTable, createFileTableOf } from './fileTable.js';
import { writeQuery } from './parquet.js';

let db: Duckdb;
beforeAll(async () => {
  const spillFolder = join(await temporaryFolder(), 'spill');
  db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder });
});
afterAll(() => db.close());

it('is computed once, of the same types, and takes no memory of the engine', async () => {
  await db.run('CREATE TEMPORARY SEQUENCE computed');
  const query = `SELECT nextval('computed') AS n, CAST(i AS TINYINT) AS small, NULL::DOUBLE AS none, i % 2 = 0 AS even, 'day' AS dt
                 FROM range(0, 100) AS r(i)`;
  await createFileTable(db, 'computed_once', query);
  for (let reads = 0; reads < 2; reads++)
    expect(await db.number('SELECT sum(n) FROM computed_once')).toBe(5050);
  expect((await db.rows('DESCRIBE computed_once')).map((row) => row.column_type)).toEqual([
    'BIGINT',
    'TINYINT',
    'DOUBLE',
    'BOOLEAN',
    'VARCHAR',
  ]);
  expect(
    await db.number("SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'"),
  ).toBe(0);
});

it('lies in the order that ranges of it are read by', async () => {
  await createFileTable(db, 'sorted', 'SELECT (i * 7919) % 50000 AS id FROM range(0, 50000) AS r(i)', ['id']);
  const out = await db.rows(
    'SELECT count(*) AS n FROM (SELECT id, row_number() OVER () - 1 AS place FROM sorted) WHERE id <> place',
  );
  expect(out).toEqual([{ n: 0n }]);
  const groups = await db.rows(
    `SELECT DISTINCT row_group_id FROM parquet_metadata('${join(db.spillFolder, 'sorted.parquet')}')`,
  );
  expect(groups.length).toBe(4); // those without a row of the range are passed over
});

it('takes the place of an earlier one of its name, and is made of it where the query says so', async () => {
  await createFileTable(db, 'again', 'SELECT 1 AS x');
  await createFileTable(db, 'again', 'SELECT 2 AS x, 3 AS y');
  expect(await db.rows('SELECT * FROM again')).toEqual([{ x: 2, y: 3 }]);
  await createFileTable(db, 'again', 'SELECT x + y AS x FROM again');
  expect(await db.number('SELECT x FROM again')).toBe(5);
});

describe('of queries one after the other', () => {
  const ranges = [0, 3000, 3000, 9000, 20_000].map((low, i, lows) => [low, lows[i + 1] ?? 30_000] as const); // one is empty
  const queries = ranges.map(
    ([low, high]) =>
      `SELECT (i * 7919) % 30000 AS id FROM range(0, 30000) AS r(i) WHERE id >= ${low} AND id < ${high}`,
  );

  it('has the rows of all in order, and is written as if it had been sorted', async () => {
    await createFileTableOf(db, 'ranges', queries, ['id']);
    const ids = (await db.rows('SELECT id FROM ranges')).map((row) => Number(row.id));
    expect(ids).toEqual(Array.from({ length: 30_000 }, (_, i) => i));
    const [asItLies, sorted] = ['as-it-lies', 'sorted'].map((name) =>
      join(db.spillFolder, `${name}.parquet`),
    );
    await writeQuery(db, 'SELECT * FROM ranges', asItLies!);
    await writeQuery(db, 'SELECT * FROM ranges ORDER BY id', sorted!);
    expect(await readFile(asItLies!)).toEqual(await readFile(sorted!));
  });

  it('has the rows of all where they are in no order', async () => {
    await createFileTableOf(db, 'mixed', queries.toReversed(), []);
    expect(await db.rows('SELECT count(*) AS n, count(DISTINCT id) AS ids FROM mixed')).toEqual([
      { n: 30_000n, ids: 30_000n },
    ]);
  });

  it('leaves nothing in the memory of the engine', async () => {
    await createFileTableOf(db, 'gone', queries, ['id']);
    expect(await db.number("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%gone%'")).toBe(0);
  });
});
