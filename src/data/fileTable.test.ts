import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { Duckdb } from './duckdb.js';
import { createFileTable } from './fileTable.js';

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
