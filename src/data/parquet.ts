/**
 * Parquet files, written and read through DuckDB. A writer gets a path and writes one whole file there; that files appear under
 * their final name only when complete is the run folder's business (run/files.ts).
 *
 * The bytes depend on rows, schema and metadata alone: no times, one row group size, zstd.
 */
import { DuckDBDataChunk } from '@duckdb/node-api';
import bindings, { type Vector } from '@duckdb/node-bindings';
import { existsSync, statSync } from 'node:fs';
import * as types from '@duckdb/node-api';
import { CascadeError } from '../errors.js';
import {
  elementType,
  isList,
  type Batch,
  type ColumnType,
  type ListColumn,
  type ScalarColumn,
  type ScalarType,
  type Schema,
} from './columns.js';
import { Duckdb, sqlText } from './duckdb.js';

/** Rows of a row group: scalar tables; tables with lists get the smaller one. */
const rowGroupRows = { scalars: 122_880, lists: 10_240 };

/** Key-value metadata of a file's footer. */
export type Metadata = Readonly<Record<string, string>>;

/** Writes the rows of a query to `path`. The query must have a total ORDER BY for the bytes to be reproducible. */
export async function writeQuery(
  db: Duckdb,
  query: string,
  path: string,
  metadata: Metadata = {},
): Promise<void> {
  await copyTo(db, `(${query})`, path, metadata, rowGroupRows.scalars);
}

/** Writes batches of columns to `path`; returns the number of rows. Memory holds the whole table: write large ones in parts. */
export async function writeBatches(
  db: Duckdb,
  schema: Schema,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  path: string,
  metadata: Metadata = {},
): Promise<number> {
  const table = `staging_${stagingCount++}`;
  await createTable(db, table, schema);
  const rows = await appendBatches(db, table, schema, batches);
  const anyList = Object.values(schema).some(isList);
  await copyTo(db, table, path, metadata, anyList ? rowGroupRows.lists : rowGroupRows.scalars);
  await db.run(`DROP TABLE ${table}`);
  return rows;
}

let stagingCount = 0;

/** Creates an empty table, for `appendBatches` to fill. */
export async function createTable(db: Duckdb, table: string, schema: Schema): Promise<void> {
  const columns = Object.entries(schema).map(([name, type]) => `"${name}" ${type}`);
  await db.run(`CREATE TEMPORARY TABLE ${table} (${columns.join(', ')})`);
}

/** Appends batches to a table in their order; returns the number of rows. Only the SQL engine holds what was appended. */
export async function appendBatches(
  db: Duckdb,
  table: string,
  schema: Schema,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
): Promise<number> {
  const appender = await db.connection.createAppender(table);
  let rows = 0;
  for await (const batch of batches) {
    for (const chunk of chunksOf(schema, batch)) appender.appendDataChunk(chunk);
    rows += batch.rows;
  }
  appender.closeSync();
  return rows;
}

async function copyTo(db: Duckdb, source: string, path: string, metadata: Metadata, rowGroupSize: number) {
  const pairs = Object.entries(metadata).map(([key, value]) => `${key}: ${sqlText(value)}`);
  const footer = pairs.length > 0 ? `, KV_METADATA {${pairs.join(', ')}}` : '';
  await db.run(
    `COPY ${source} TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowGroupSize}${footer})`,
  );
}

/** The FROM clause that reads Parquet files; a glob or a list of paths, and options of the reader. */
export function parquetSource(paths: string | readonly string[], options: readonly string[] = []): string {
  const list = (typeof paths === 'string' ? [paths] : paths).map(sqlText);
  return `read_parquet(${[`[${list.join(', ')}]`, ...options].join(', ')})`;
}

/** Column names and SQL types of Parquet files; a missing or damaged file is a problem the user can mend. */
export async function parquetColumns(db: Duckdb, path: string): Promise<Record<string, string>> {
  if (!path.includes('*') && (!existsSync(path) || statSync(path).isDirectory())) {
    throw new CascadeError({
      code: 'data.missing_file',
      where: path,
      what: existsSync(path)
        ? 'This is a folder; a Parquet file or a glob was expected.'
        : 'There is no such file.',
      mend: existsSync(path)
        ? 'Write a glob such as folder/*.parquet.'
        : 'Check the path; it is relative to `logs.source`.',
    });
  }
  const rows = await readingParquet(path, () => db.rows(`DESCRIBE SELECT * FROM ${parquetSource(path)}`));
  return Object.fromEntries(rows.map((row) => [String(row.column_name), String(row.column_type)]));
}

/** Runs a read and turns what DuckDB says of damaged files into one clear problem. */
export async function readingParquet<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof CascadeError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    if (/No files found/.test(message)) {
      throw new CascadeError(
        {
          code: 'data.missing_file',
          where: path,
          what: 'No file matches this path.',
          mend: 'Check the path; it is relative to `logs.source`.',
        },
        { cause },
      );
    }
    if (/parquet|Parquet|magic bytes|TProtocol|thrift|snappy|zstd|too small/i.test(message)) {
      throw new CascadeError(
        {
          code: 'data.damaged_file',
          where: path,
          what: `This Parquet file cannot be read; it may be cut off or damaged: ${message.split('\n')[0] ?? message}`,
          mend: 'Write the file again. A writer that is killed leaves a partial file: write under another name, then rename.',
        },
        { cause },
      );
    }
    throw cause;
  }
}

// ------------------------------------------------------------------------------------------------- typed arrays to chunks

const duckdbTypes: Readonly<Record<ScalarType, types.DuckDBType>> = {
  BOOLEAN: types.BOOLEAN,
  TINYINT: types.TINYINT,
  SMALLINT: types.SMALLINT,
  INTEGER: types.INTEGER,
  BIGINT: types.BIGINT,
  FLOAT: types.FLOAT,
  DOUBLE: types.DOUBLE,
  VARCHAR: types.VARCHAR,
  TIMESTAMP_MS: types.TIMESTAMP_MS,
};

const duckdbType = (type: ColumnType) =>
  isList(type) ? types.LIST(duckdbTypes[elementType(type)]) : duckdbTypes[elementType(type)];

const chunkRows = bindings.vector_size();

function* chunksOf(schema: Schema, batch: Batch): Generator<DuckDBDataChunk> {
  const fields = Object.entries(schema);
  for (let start = 0; start < batch.rows; start += chunkRows) {
    const end = Math.min(batch.rows, start + chunkRows);
    const chunk = DuckDBDataChunk.create(fields.map(([, type]) => duckdbType(type)));
    chunk.rowCount = end - start;
    fields.forEach(([name, type], i) => {
      const vector = bindings.data_chunk_get_vector(chunk.chunk, i);
      const column = batch.columns[name];
      if (!column) throw new Error(`batch has no column ${name}`);
      if (isList(type)) fillList(vector, column as ListColumn, start, end);
      else fillScalars(vector, column as ScalarColumn, start, end);
    });
    yield chunk;
  }
}

function fillList(vector: Vector, column: ListColumn, start: number, end: number) {
  const from = column.offsets[start]!;
  const to = column.offsets[end]!;
  const entries = new BigUint64Array(2 * (end - start));
  for (let i = start; i < end; i++) {
    entries[2 * (i - start)] = BigInt(column.offsets[i]! - from);
    entries[2 * (i - start) + 1] = BigInt(column.offsets[i + 1]! - column.offsets[i]!);
  }
  bindings.list_vector_reserve(vector, to - from);
  bindings.list_vector_set_size(vector, to - from);
  bindings.copy_data_to_vector(vector, 0, entries.buffer, 0, entries.byteLength);
  fillNulls(vector, column.nulls, start, end);
  if (to > from) fillScalars(bindings.list_vector_get_child(vector), column.child, from, to);
}

function fillScalars(vector: Vector, column: ScalarColumn, start: number, end: number) {
  const { values } = column;
  if (Array.isArray(values)) {
    for (let i = start; i < end; i++) bindings.vector_assign_string_element(vector, i - start, values[i]!);
  } else {
    const part = values.slice(start, end);
    bindings.copy_data_to_vector(vector, 0, part.buffer, 0, part.byteLength);
  }
  fillNulls(vector, column.nulls, start, end);
}

function fillNulls(vector: Vector, nulls: Uint8Array | undefined, start: number, end: number) {
  if (!nulls) return;
  const words = new Uint8Array(Math.ceil((end - start) / 64) * 8).fill(255);
  let any = false;
  for (let i = start; i < end; i++) {
    if (nulls[i]) {
      words[(i - start) >> 3]! &= ~(1 << ((i - start) & 7));
      any = true;
    }
  }
  if (!any) return;
  bindings.vector_ensure_validity_writable(vector);
  bindings.copy_data_to_vector_validity(vector, 0, words.buffer, 0, words.byteLength);
}
