import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { Duckdb } from './duckdb.js';
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
  const table = await PiecewiseTable.open(db, 'long', schema, 6);
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
