/**
 * Parquet files, written and read through DuckDB. A writer gets a path and writes one whole file there; that files appear under
 * their final name only when complete is the run folder's business (run/files.ts).
 *
 * The bytes depend on rows, schema and metadata alone: no times, one row group size, zstd.
 */
import { existsSync, statSync } from 'node:fs';
import { CascadeError } from '../errors.js';
import { isList, type Batch, type Schema } from './columns.js';
import { Duckdb, sqlText } from './duckdb.js';
import { appendBatches, createTable } from './tableAppender.js';

/**
 * Rows of a row group: scalar tables; tables with lists get the smaller one. The SQL engine holds a row group twice before it is written: a
 * part of set B, of 8,192 requests with 230,000 candidates, takes 20 MB in one and 5 MB in four.
 */
const rowGroupRows = { scalars: 122_880, lists: 2048 };

/** Key-value metadata of a file's footer. */
export type Metadata = Readonly<Record<string, string>>;

/** Writes the rows of a query to `path`. The query must have a total ORDER BY for the bytes to be reproducible. */
export async function writeQuery(
  db: Duckdb,
  query: string,
  path: string,
  metadata: Metadata = {},
  columns: keyof typeof rowGroupRows = 'scalars',
): Promise<void> {
  await copyTo(db, `(${query})`, path, metadata, rowGroupRows[columns]);
}

/**
 * Writes batches of columns to `path`, or what `select` makes of them; returns the number of rows. Memory holds the whole table: write
 * large ones in parts.
 */
export async function writeBatches(
  db: Duckdb,
  schema: Schema,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  path: string,
  metadata: Metadata = {},
  select = '*',
): Promise<number> {
  const table = `staging_${stagingCount++}`;
  await createTable(db, table, schema);
  const rows = await appendBatches(db, table, schema, batches);
  const anyList = Object.values(schema).some(isList);
  await copyTo(
    db,
    `(SELECT ${select} FROM ${table})`,
    path,
    metadata,
    anyList ? rowGroupRows.lists : rowGroupRows.scalars,
  );
  await db.run(`DROP TABLE ${table}`);
  return rows;
}

let stagingCount = 0;

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
