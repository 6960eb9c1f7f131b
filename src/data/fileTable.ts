/**
 * A query computed once, whose rows lie in a file beside what the SQL engine spills, and are read as a view. The engine's own tables
 * take its memory for as long as they are there, and the more the longer the log is; of a file it holds what is being read.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import bindings from '@duckdb/node-bindings';
import { sqlText, type Duckdb } from './duckdb.js';
import { parquetSource } from './parquet.js';

/** Rows that are passed over together where ranges are read, and that are held while a file is written. */
const rowGroupRows = 16_384;
const vectorRows = bindings.vector_size();

/** Makes `name` the rows of a query in an order, in place of what it was. */
export async function createFileTable(
  db: Duckdb,
  name: string,
  query: string,
  order: readonly string[] = [],
): Promise<void> {
  await mkdir(db.spillFolder, { recursive: true });
  const path = join(db.spillFolder, `${name}.parquet`);
  await writePiece(db, `SELECT * FROM (${query})${ordered(order)}`, path);
  await readPieces(db, name, [path]);
}

/**
 * The same of queries one after the other, of which the engine holds one's rows at a time. If all rows of a query come before all rows
 * of the next one in the order, the whole table lies in it. Pieces are of whole vectors, so that a file that is written from them is
 * the same to the byte as if its rows had been sorted: the engine ends its row groups and pages between vectors.
 */
export async function createFileTableOf(
  db: Duckdb,
  name: string,
  queries: readonly string[],
  order: readonly string[],
): Promise<void> {
  await mkdir(db.spillFolder, { recursive: true });
  const piece = `piece_of_${name}`;
  const rest = `rest_of_${name}`;
  const paths: string[] = [];
  for (const [i, query] of queries.entries()) {
    const before = i === 0 ? '' : `SELECT * FROM ${rest} UNION ALL `;
    await db.run(`CREATE OR REPLACE TEMPORARY TABLE ${piece} AS ${before}SELECT * FROM (${query})`);
    const rows = await db.number(`SELECT count(*) FROM ${piece}`);
    const whole = i === queries.length - 1 ? rows : rows - (rows % vectorRows);
    const sorted = `SELECT * FROM ${piece}${ordered(order)}`;
    paths.push(join(db.spillFolder, `${name}-${i}.parquet`));
    await writePiece(db, `${sorted} LIMIT ${whole}`, paths[i]!);
    await db.run(`CREATE OR REPLACE TEMPORARY TABLE ${rest} AS ${sorted} OFFSET ${whole}`);
  }
  await db.run(`DROP TABLE ${piece}`);
  await db.run(`DROP TABLE ${rest}`);
  await readPieces(db, name, paths);
}

const ordered = (order: readonly string[]) => (order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`);

/** Not compressed: it is read a few times, and goes with the engine. */
const writePiece = (db: Duckdb, query: string, path: string) =>
  db.run(
    `COPY (${query}) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE ${rowGroupRows})`,
  );

const readPieces = (db: Duckdb, name: string, paths: readonly string[]) =>
  db.run(`CREATE OR REPLACE TEMPORARY VIEW ${name} AS SELECT * FROM ${parquetSource(paths)}`);
