import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { Duckdb } from './duckdb.js';
import { writeQuery } from './parquet.js';
import { PiecewiseTable } from './piecewiseTable.js';

const schema = { id: 'BIGINT', tags: 'SMALLINT[]' } as const;
const batchFrom = (first: number) => ({
  rows: 3,
  columns: {
    id: { values: BigInt64Array.from([first, first + 1, first + 2], BigInt) },
    tags: {
      offsets: Int32Array.of(0, 2, 2, 3),
      child: { values: Int16Array.of(1, 2, 3) },
      nulls: Uint8Array.of(0, 1, 0),
    },
  },
});

it.each([0, 1, 5])('of %i batches has the rows of all, in pieces of two', async (batches) => {
  const spillFolder = join(await temporaryFolder(), 'spill');
  const db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder });
  const table = await PiecewiseTable.open(db, 'long', schema, [], 6);
  for (let i = 0; i < batches; i++) await table.append(batchFrom(3 * i));
  await table.close();
  expect(await readdir(spillFolder)).toHaveLength(Math.max(1, Math.ceil(batches / 2)));
  const rows = await db.rows('SELECT id, tags FROM long ORDER BY id');
  expect(rows).toEqual(
    Array.from({ length: 3 * batches }, (_, i) => ({ id: BigInt(i), tags: [[1, 2], null, [3]][i % 3] })),
  );
  expect(await db.rows('DESCRIBE long')).toMatchObject([
    { column_type: 'BIGINT' },
    { column_type: 'SMALLINT[]' },
  ]);
  await db.close();
});

it('is in an order that its batches follow each other in, of pieces of whole vectors, and written as if it had been sorted', async () => {
  const folder = await temporaryFolder();
  const db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: join(folder, 'spill') });
  const table = await PiecewiseTable.open(db, 'ordered', { id: 'BIGINT' }, ['id'], 5000);
  const rows = 1234; // of a batch, each of them backwards
  for (let first = 0; first < 20 * rows; first += rows)
    await table.append({
      rows,
      columns: {
        id: { values: BigInt64Array.from({ length: rows }, (_, i) => BigInt(first + rows - 1 - i)) },
      },
    });
  await table.close();
  const ids = (await db.rows('SELECT id FROM ordered')).map((row) => Number(row.id));
  expect(ids).toEqual(Array.from({ length: 20 * rows }, (_, i) => i));
  const pieces = await db.rows(
    `SELECT DISTINCT file_name, num_rows FROM parquet_file_metadata('${join(db.spillFolder, '*.parquet')}') ORDER BY num_rows`,
  );
  expect(pieces.length).toBeGreaterThan(3);
  expect(pieces.filter((piece) => Number(piece.num_rows) % 2048 !== 0)).toHaveLength(1); // the last
  const [asItIs, sorted] = [join(folder, 'as-it-is.parquet'), join(folder, 'sorted.parquet')];
  await writeQuery(db, 'SELECT * FROM ordered', asItIs);
  await writeQuery(db, 'SELECT * FROM ordered ORDER BY id', sorted);
  expect(await readFile(asItIs)).toEqual(await readFile(sorted));
  await db.close();
});
