/**
 * The SQL engine: one in-memory DuckDB per stage, with memory, threads and the folder it spills to stated, and nothing fetched
 * from the network. Results stream as flat typed arrays; SQL joins and sorts, our code groups (storage.md, section 8).
 */
import { rm } from 'node:fs/promises';
import type { DuckDBConnection, DuckDBDataChunk, DuckDBInstance } from '@duckdb/node-api';
import api = require('@duckdb/node-api'); // .2 s sooner than as a module (engine/tf.ts)
import bindings, { type Vector } from '@duckdb/node-bindings';
import { CascadeError } from '../errors.js';
import { collectYoung, engineIsLoaded } from '../memory.js';
import {
  allocate,
  type Batch,
  type Column,
  type ScalarColumn,
  type ScalarType,
  type Values,
} from './columns.js';

export interface DuckdbOptions {
  /** Processor threads; results do not depend on it as long as every query has a total order. */
  readonly threads: number;
  /** Like 2GB; the process may pass it by about 0.3 GB. */
  readonly memoryLimit: string;
  /** Folder for spilled data, removed when the engine is closed. */
  readonly spillFolder: string;
}

export class Duckdb {
  private constructor(
    private readonly instance: DuckDBInstance,
    readonly connection: DuckDBConnection,
    private readonly options: DuckdbOptions,
  ) {}

  static async open(options: DuckdbOptions): Promise<Duckdb> {
    const instance = await api.DuckDBInstance.create(':memory:', {
      threads: String(options.threads),
      memory_limit: options.memoryLimit,
      temp_directory: options.spillFolder,
      // What a query gave back goes back to the system, and is not kept for the next one beside the limit.
      allocator_flush_threshold: '8MB',
      allocator_bulk_deallocation_flush_threshold: '8MB',
      enable_external_file_cache: 'false', // of files that the system caches, too
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      preserve_insertion_order: 'true',
    });
    engineIsLoaded();
    return new Duckdb(instance, await connect(instance), options);
  }

  /**
   * Gives `work` a second connection to the same engine, for statements while a stream of this one is being read. It does not see
   * this one's temporary tables and views.
   */
  async alongside<T>(work: (db: Duckdb) => Promise<T>): Promise<T> {
    const connection = await connect(this.instance);
    try {
      return await work(new Duckdb(this.instance, connection, this.options));
    } finally {
      connection.closeSync();
    }
  }

  /** Runs one or more statements for their effect. */
  async run(sql: string): Promise<void> {
    await this.guard(() => this.connection.run(sql));
  }

  /** All rows of a small result, as plain objects; integers beyond 2^31 are bigint. For reports and checks, not for data. */
  async rows(sql: string): Promise<Record<string, unknown>[]> {
    const reader = await this.guard(() => this.connection.runAndReadAll(sql));
    return reader.getRowObjectsJS();
  }

  /** The single number that a query returns. */
  async number(sql: string): Promise<number> {
    const [row] = await this.rows(sql);
    return Number(Object.values(row ?? {})[0]);
  }

  /** Streams a result as batches of typed arrays (copies: safe to keep). Columns must be of the types of columns.ts. */
  async *stream(sql: string): AsyncGenerator<Batch> {
    const result = await this.guard(() => this.connection.stream(sql));
    const names = result.columnNames();
    const types = result.columnTypes().map(String);
    for (let chunks = 1; ; chunks++) {
      const chunk = await this.guard(() => result.fetchChunk());
      if (!chunk || chunk.rowCount === 0) return;
      yield readChunk(chunk, names, types);
      if (chunks % chunksBetweenCollections === 0) collectYoung();
    }
  }

  /** The whole result in one batch; for what fits in memory. */
  async batch(sql: string): Promise<Batch> {
    const parts: Batch[] = [];
    for await (const part of this.stream(sql)) parts.push(part);
    if (parts.length === 1) return parts[0]!;
    if (parts.length > 1) return concatBatches(parts);
    const result = await this.guard(() => this.connection.run(sql));
    const types = result.columnTypes();
    const columns = result.columnNames().map((name, i) => [name, emptyColumn(types[i]!.toString())] as const);
    return { rows: 0, columns: Object.fromEntries(columns) };
  }

  /** For files that are of no use once the engine is closed. */
  get spillFolder(): string {
    return this.options.spillFolder;
  }

  async close(): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
    await rm(this.options.spillFolder, { recursive: true, force: true });
  }

  /** Errors of disk and memory become problems a user can mend; the rest keep their cause. */
  private async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      if (/No space left|could not write|Could not write/i.test(message)) {
        throw new CascadeError(
          {
            code: 'disk.full',
            what: `The disk is full: ${firstLine(message)}`,
            mend: 'Free some space, then run the same command again: it goes on from the last checkpoint.',
          },
          { cause },
        );
      }
      if (/Out of Memory/i.test(message)) {
        throw new CascadeError(
          {
            code: 'data.memory',
            what: `The SQL engine ran out of its ${this.options.memoryLimit}: ${firstLine(message)}`,
            mend: 'Raise `memory_limit` in the config.',
          },
          { cause },
        );
      }
      throw cause;
    }
  }
}

/**
 * A chunk is a few hundred kilobytes outside of JavaScript, whose garbage collector sees some bytes of it and no need to hurry. The
 * chunks that have been read die young: six million rows of five columns take 11 MB and not 110, and three quarters of the time.
 */
const chunksBetweenCollections = 16;

async function connect(instance: DuckDBInstance): Promise<DuckDBConnection> {
  const connection = await instance.connect();
  await connection.run(`SET TimeZone = 'UTC'`);
  return connection;
}

const firstLine = (text: string) => text.split('\n')[0] ?? text;

/** Quotes a value as an SQL text literal. */
export const sqlText = (value: string) => `'${value.replaceAll("'", "''")}'`;

// ------------------------------------------------------------------------------------------------- chunks to typed arrays

const scalarNames: Readonly<Record<string, ScalarType>> = {
  BOOLEAN: 'BOOLEAN',
  TINYINT: 'TINYINT',
  SMALLINT: 'SMALLINT',
  INTEGER: 'INTEGER',
  BIGINT: 'BIGINT',
  FLOAT: 'FLOAT',
  DOUBLE: 'DOUBLE',
  VARCHAR: 'VARCHAR',
  TIMESTAMP_MS: 'TIMESTAMP_MS',
};

function scalarType(sqlType: string): ScalarType {
  const type = scalarNames[sqlType];
  if (!type) throw new Error(`a column of SQL type ${sqlType} cannot be streamed: cast it in the query`);
  return type;
}

function emptyColumn(sqlType: string): Column {
  if (!sqlType.endsWith('[]')) return { values: allocate(scalarType(sqlType), 0) };
  return { offsets: new Int32Array(1), child: { values: allocate(scalarType(sqlType.slice(0, -2)), 0) } };
}

function readChunk(chunk: DuckDBDataChunk, names: readonly string[], types: readonly string[]): Batch {
  const rows = chunk.rowCount;
  const columns: Record<string, Column> = {};
  names.forEach((name, i) => {
    const vector = bindings.data_chunk_get_vector(chunk.chunk, i);
    const type = types[i]!;
    columns[name] = type.endsWith('[]')
      ? readList(vector, rows, type)
      : readScalars(vector, rows, scalarType(type));
  });
  return { rows, columns };
}

/** Start and length of a list: two 64-bit integers per row. */
function readList(vector: Vector, rows: number, type: string): Column {
  const entries = new BigUint64Array(copyBytes(bindings.vector_get_data(vector, rows * 16)).buffer);
  const nulls = readNulls(vector, rows);
  const source = readScalars(
    bindings.list_vector_get_child(vector),
    bindings.list_vector_get_size(vector),
    scalarType(type.slice(0, -2)),
  );
  const offsets = new Int32Array(rows + 1);
  let inOrder = true;
  for (let i = 0; i < rows; i++) {
    const length = nulls?.[i] ? 0 : Number(entries[2 * i + 1]);
    if (length > 0 && Number(entries[2 * i]) !== offsets[i]) inOrder = false;
    offsets[i + 1] = offsets[i]! + length;
  }
  if (inOrder && source.values.length === offsets[rows])
    return { offsets, child: source, ...(nulls && { nulls }) };
  const order = new Int32Array(offsets[rows]!);
  for (let i = 0; i < rows; i++) {
    const start = Number(entries[2 * i]);
    for (let j = offsets[i]!; j < offsets[i + 1]!; j++) order[j] = start + j - offsets[i]!;
  }
  return { offsets, child: takeScalars(source, order), ...(nulls && { nulls }) };
}

function readScalars(vector: Vector, rows: number, type: ScalarType): ScalarColumn {
  const nulls = readNulls(vector, rows);
  const values = type === 'VARCHAR' ? readStrings(vector, rows, nulls) : readNumbers(vector, rows, type);
  if (nulls && !Array.isArray(values))
    for (let i = 0; i < rows; i++) if (nulls[i]) values[i] = zeroOf(values);
  return nulls ? { values, nulls } : { values };
}

const zeroOf = (values: Exclude<Values, string[]>) => (values instanceof BigInt64Array ? 0n : 0);

function readNumbers(vector: Vector, rows: number, type: ScalarType): Exclude<Values, string[]> {
  const values = allocate(type, rows) as Exclude<Values, string[]>;
  if (rows === 0) return values;
  new Uint8Array(values.buffer).set(bindings.vector_get_data(vector, values.byteLength));
  return values;
}

/**
 * DuckDB's string_t: 4 bytes length, then 12 inline bytes or 4 bytes prefix and a pointer; long ones need the API's reader. A short
 * one that repeats the last is the same text: days and words come in runs.
 */
function readStrings(vector: Vector, rows: number, nulls: Uint8Array | undefined): string[] {
  const bytes = copyBytes(bindings.vector_get_data(vector, rows * 16));
  const view = new DataView(bytes.buffer);
  const words = new BigUint64Array(bytes.buffer);
  const decoder = new TextDecoder();
  const out = new Array<string>(rows).fill('');
  let last = -1; // row of the last short text
  for (let i = 0; i < rows; i++) {
    if (nulls?.[i]) continue;
    const length = view.getUint32(i * 16, true);
    if (length <= 12) {
      if (last >= 0 && words[2 * i] === words[2 * last] && words[2 * i + 1] === words[2 * last + 1]) {
        out[i] = out[last]!;
        continue;
      }
      last = i;
    }
    const data =
      length <= 12
        ? bytes.subarray(i * 16 + 4, i * 16 + 4 + length)
        : bindings.get_data_from_pointer(bytes.buffer, i * 16 + 8, length);
    out[i] = decoder.decode(data);
  }
  return out;
}

function readNulls(vector: Vector, rows: number): Uint8Array | undefined {
  if (rows === 0) return undefined;
  const words = bindings.vector_get_validity(vector, Math.ceil(rows / 64) * 8) as Uint8Array | null;
  if (!words) return undefined;
  const nulls = new Uint8Array(rows);
  let any = false;
  for (let i = 0; i < rows; i++) {
    if (((words[i >> 3]! >> (i & 7)) & 1) === 0) {
      nulls[i] = 1;
      any = true;
    }
  }
  return any ? nulls : undefined;
}

const copyBytes = (bytes: Uint8Array) => new Uint8Array(bytes);

function takeScalars(column: ScalarColumn, order: Int32Array): ScalarColumn {
  const { values, nulls } = column;
  const taken = Array.isArray(values)
    ? Array.from(order, (i) => values[i]!)
    : (() => {
        const out = new (values.constructor as new (length: number) => Exclude<Values, string[]>)(
          order.length,
        );
        for (let i = 0; i < order.length; i++) out[i] = values[order[i]!] as never;
        return out;
      })();
  return nulls ? { values: taken, nulls: Uint8Array.from(order, (i) => nulls[i]!) } : { values: taken };
}

function concatBatches(parts: readonly Batch[]): Batch {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const columns: Record<string, Column> = {};
  for (const name of Object.keys(parts[0]!.columns))
    columns[name] = concatColumns(parts.map((p) => p.columns[name]!));
  return { rows, columns };
}

function concatColumns(parts: readonly Column[]): Column {
  if ('offsets' in parts[0]!) {
    const lists = parts as readonly (Column & { offsets: Int32Array; child: ScalarColumn })[];
    const offsets = new Int32Array(lists.reduce((sum, list) => sum + list.offsets.length - 1, 1));
    let row = 0;
    for (const list of lists) {
      const base = offsets[row]!;
      for (let i = 1; i < list.offsets.length; i++) offsets[++row] = base + list.offsets[i]!;
    }
    const nulls = concatNulls(lists, (list) => list.offsets.length - 1);
    return { offsets, child: concatScalars(lists.map((list) => list.child)), ...(nulls && { nulls }) };
  }
  return concatScalars(parts as readonly ScalarColumn[]);
}

function concatScalars(parts: readonly ScalarColumn[]): ScalarColumn {
  const nulls = concatNulls(parts, (part) => part.values.length);
  const first = parts[0]!.values;
  if (Array.isArray(first))
    return { values: parts.flatMap((part) => part.values as string[]), ...(nulls && { nulls }) };
  const length = parts.reduce((sum, part) => sum + part.values.length, 0);
  const values = new (first.constructor as new (length: number) => Exclude<Values, string[]>)(length);
  let at = 0;
  for (const part of parts) {
    values.set(part.values as never, at);
    at += part.values.length;
  }
  return { values, ...(nulls && { nulls }) };
}

function concatNulls<T extends { nulls?: Uint8Array }>(parts: readonly T[], length: (part: T) => number) {
  if (!parts.some((part) => part.nulls)) return undefined;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + length(part), 0));
  let at = 0;
  for (const part of parts) {
    if (part.nulls) out.set(part.nulls, at);
    at += length(part);
  }
  return out;
}
