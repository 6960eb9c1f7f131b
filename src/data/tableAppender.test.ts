import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { columnsOf, type Schema } from './columns.js';
import { Duckdb } from './duckdb.js';
import { createTable, TableAppender } from './tableAppender.js';

const schema = {
  id: 'BIGINT',
  text: 'VARCHAR',
  score: 'FLOAT',
  ids: 'BIGINT[]',
  words: 'VARCHAR[]',
} satisfies Schema;

let folder: string;
let db: Duckdb;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cascade-appender-'));
  db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: join(folder, 'spill') });
});
afterAll(async () => {
  await db.close();
  await rm(folder, { recursive: true, force: true });
});

/** Full of nulls and long lists first, then with neither: what the chunk held before must not show. */
const rowOf = (i: number) =>
  i < 3000
    ? {
        id: BigInt(i),
        text: null,
        score: null,
        ids: [1n, 2n, BigInt(i)],
        words: [null, `a text longer than twelve, of ${i}`],
      }
    : i % 3 === 0
      ? { id: BigInt(i), text: `${i}`, score: i, ids: null, words: [] }
      : {
          id: BigInt(i),
          text: `another text longer than twelve, of ${i}`,
          score: i / 2,
          ids: [],
          words: [`${i}`],
        };

it('gives back what was appended, over many chunks and batches', async () => {
  const rows = Array.from({ length: 9000 }, (_, i) => rowOf(i));
  await createTable(db, 'appended', schema);
  const appender = await TableAppender.open(db, 'appended', schema);
  for (const [from, to] of [
    [0, 5000],
    [5000, 5001],
    [5001, 5001],
    [5001, 9000],
  ] as const) {
    appender.append(columnsOf(schema, rows.slice(from, to)));
  }
  appender.close();
  const found = await db.rows('SELECT * FROM appended');
  expect(found).toHaveLength(rows.length);
  expect(found).toEqual(rows);
});

it('keeps the rows of two tables apart that are filled in turns', async () => {
  const tables = ['one_of_two', 'other_of_two'];
  const appenders: TableAppender[] = [];
  for (const table of tables) {
    await createTable(db, table, schema);
    appenders.push(await TableAppender.open(db, table, schema));
  }
  const rows = Array.from({ length: 9000 }, (_, i) => rowOf(i));
  for (let from = 0; from < 9000; from += 1000)
    appenders[(from / 1000) % 2]!.append(columnsOf(schema, rows.slice(from, from + 1000)));
  for (const appender of appenders) appender.close();
  for (const [t, table] of tables.entries()) {
    const appended = rows.filter((_, i) => Math.floor(i / 1000) % 2 === t);
    expect(await db.rows(`SELECT * FROM ${table}`)).toEqual(appended);
  }
});
