/**
 * Batches of columns into a table of the SQL engine. What the engine's objects hold lies outside of JavaScript and is freed with
 * them, by a garbage collector that sees a few bytes of each and no need to hurry: so one appender serves a table, and one chunk all
 * that is appended to tables of its schema.
 */
import types = require('@duckdb/node-api'); // .2 s sooner than as a module (engine/tf.ts)
import bindings, { type Vector } from '@duckdb/node-bindings';
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
import type { Duckdb } from './duckdb.js';

/** Creates an empty table, for an appender to fill. */
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
  const appender = await TableAppender.open(db, table, schema);
  let rows = 0;
  for await (const batch of batches) {
    appender.append(batch);
    rows += batch.rows;
  }
  appender.close();
  return rows;
}

/** A table that is filled batch by batch; its rows are there once it is closed. */
export class TableAppender {
  private readonly chunk: types.DuckDBDataChunk;

  private constructor(
    private readonly appender: types.DuckDBAppender,
    private readonly schema: Schema,
  ) {
    this.chunk = chunkOf(schema);
  }

  static async open(db: Duckdb, table: string, schema: Schema): Promise<TableAppender> {
    return new TableAppender(await db.connection.createAppender(table), schema);
  }

  append(batch: Batch): void {
    for (let start = 0; start < batch.rows; start += chunkRows) {
      fillChunk(this.chunk, this.schema, batch, start, Math.min(batch.rows, start + chunkRows));
      this.appender.appendDataChunk(this.chunk);
    }
  }

  close(): void {
    this.appender.closeSync();
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

/** A chunk of lists is some megabytes, which an appender for each part of a set would leave to the garbage collector. */
const chunks = new WeakMap<Schema, types.DuckDBDataChunk>();

function chunkOf(schema: Schema): types.DuckDBDataChunk {
  const chunk = chunks.get(schema) ?? types.DuckDBDataChunk.create(Object.values(schema).map(duckdbType));
  chunks.set(schema, chunk);
  return chunk;
}

/** Puts rows `start` to `end` into a chunk in place of what it held. */
function fillChunk(
  chunk: types.DuckDBDataChunk,
  schema: Schema,
  batch: Batch,
  start: number,
  end: number,
): void {
  chunk.reset();
  chunk.rowCount = end - start;
  Object.entries(schema).forEach(([name, type], i) => {
    const vector = bindings.data_chunk_get_vector(chunk.chunk, i);
    const column = batch.columns[name];
    if (!column) throw new Error(`batch has no column ${name}`);
    if (isList(type)) fillList(vector, column as ListColumn, start, end);
    else fillScalars(vector, column as ScalarColumn, start, end);
  });
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
