/**
 * A query computed once, whose rows lie in a file beside what the SQL engine spills, and are read as a view. The engine's own tables
 * take its memory for as long as they are there, and the more the longer the log is; of a file it holds what is being read.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sqlText, type Duckdb } from './duckdb.js';
import { parquetSource } from './parquet.js';

/** Rows that are passed over together where ranges of `readBy` are read, and that are held while the file is written. */
const rowGroupRows = 16_384;

/** Makes `name` the rows of a query, in place of what it was; `readBy`: the column that ranges of it are read by. */
export async function createFileTable(
  db: Duckdb,
  name: string,
  query: string,
  readBy?: string,
): Promise<void> {
  await mkdir(db.spillFolder, { recursive: true });
  const path = join(db.spillFolder, `${name}.parquet`);
  const rows = readBy === undefined ? query : `SELECT * FROM (${query}) ORDER BY ${readBy}`;
  // Not compressed: it is read a few times, and goes with the engine.
  await db.run(
    `COPY (${rows}) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE ${rowGroupRows})`,
  );
  await db.run(`CREATE OR REPLACE TEMPORARY VIEW ${name} AS SELECT * FROM ${parquetSource(path)}`);
}
