/**
 * Arrow IPC files of one record batch: columns of fixed types without nulls, uncompressed, so that reading is a view on the file's
 * bytes and the same columns always give the same bytes.
 */
import type { Data, RecordBatch as Batch } from 'apache-arrow';
import { createRequire } from 'node:module';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CascadeError, internal } from '../errors.js';

/** All of Arrow in one file, which loads in a tenth of the time of its 146 modules: every thread that makes batches waits for it. */
const {
  Field,
  FixedSizeList,
  Float32,
  Int32,
  Int64,
  Int8,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
} = createRequire(import.meta.url)('apache-arrow/Arrow.es2015.min') as typeof import('apache-arrow');

/** A flat column: one value per row. */
export type Flat = Int8Array | Int32Array | Float32Array | BigInt64Array;

export type ArrowColumn =
  | { readonly kind: 'flat'; readonly values: Flat }
  /** `width` values per row. */
  | { readonly kind: 'fixed'; readonly values: Int32Array | Float32Array; readonly width: number }
  /** Row i has the values from offsets[i] to offsets[i + 1]. */
  | { readonly kind: 'list'; readonly values: Flat; readonly offsets: Int32Array };

const element = (values: Flat) => Field.new({ name: 'item', type: flatData(values).type, nullable: false });

function flatData(values: Flat) {
  const length = values.length;
  if (values instanceof Int8Array) return makeData({ type: new Int8(), length, data: values, nullCount: 0 });
  if (values instanceof Int32Array)
    return makeData({ type: new Int32(), length, data: values, nullCount: 0 });
  if (values instanceof Float32Array)
    return makeData({ type: new Float32(), length, data: values, nullCount: 0 });
  return makeData({ type: new Int64(), length, data: values, nullCount: 0 });
}

function columnData(rows: number, column: ArrowColumn): Data {
  switch (column.kind) {
    case 'flat':
      return flatData(column.values);
    case 'fixed': {
      const type = new FixedSizeList(column.width, element(column.values));
      return makeData({ type, length: rows, nullCount: 0, child: flatData(column.values) });
    }
    case 'list': {
      const { offsets, values } = column;
      const type = new List(element(values));
      return makeData({ type, length: rows, nullCount: 0, valueOffsets: offsets, child: flatData(values) });
    }
  }
}

/** The bytes of an Arrow file with these columns, in order. */
export function arrowBytes(rows: number, columns: Readonly<Record<string, ArrowColumn>>): Uint8Array {
  const children = Object.values(columns).map((column) => columnData(rows, column));
  const fields = Object.keys(columns).map((name, i) =>
    Field.new({ name, type: children[i]!.type, nullable: false }),
  );
  const schema = new Schema(fields);
  const data = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children });
  return tableToIPC(new Table(schema, new RecordBatch(schema, data)), 'file');
}

/**
 * Where a file's bytes lie: in memory that threads may share, for what stays as long as they do; in a thread's own, as its garbage
 * collector does not count shared memory, and lets go of it late; or in a thread's scratch memory, which the next file that is read to
 * it overwrites, for who takes copies of some columns.
 */
export type Memory = 'own' | 'shared' | 'scratch';

/** The columns of an Arrow file that `arrowBytes` made, as views on its bytes. */
export class ArrowFile {
  readonly rows: number;
  private readonly batch: Batch;

  constructor(
    private readonly path: string,
    memory: Memory,
  ) {
    const table = reading(path, () => tableFromIPC(bytesOf(path, memory)));
    this.rows = table.numRows;
    this.batch = table.batches[0] ?? internal(`${path} has no record batch`);
  }

  /** Names of the columns, in order. */
  get names(): readonly string[] {
    return this.batch.schema.names.map(String);
  }

  flat<T extends Flat>(name: string, type: new (length: number) => T): T {
    return this.typed(name, this.data(name), type);
  }

  /** All values of a list or fixed-size list, row after row. */
  values<T extends Flat>(name: string, type: new (length: number) => T): T {
    return this.typed(
      name,
      this.data(name).children[0] ?? internal(`${this.path}: ${name} is no list`),
      type,
    );
  }

  offsets(name: string): Int32Array {
    // Arrow pads the buffer to 8 bytes; the offsets are the first rows + 1 of it.
    const offsets: unknown = this.data(name).valueOffsets;
    if (!(offsets instanceof Int32Array)) internal(`${this.path}: ${name} is no list`);
    return offsets.subarray(0, this.rows + 1);
  }

  private data(name: string): Data {
    const data: Data | undefined = this.batch.getChild(name)?.data[0];
    return data ?? internal(`${this.path} has no column ${name}`);
  }

  private typed<T extends Flat>(name: string, data: Data, type: new (length: number) => T): T {
    const values: unknown = data.values ?? new type(0); // an empty column has no buffer
    if (!(values instanceof type)) internal(`${this.path}: ${name} is not ${type.name}`);
    return values.subarray(0, data.length) as T; // without Arrow's padding; a subarray has the type of its array
  }
}

function bytesOf(path: string, memory: Memory): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const bytes = emptyBytes(size, memory);
    for (let at = 0; at < bytes.length;) {
      at += readSync(file, bytes, at, bytes.length - at, null) || internal(`${path} ends at ${at}`);
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

let scratch = new ArrayBuffer(0);

function emptyBytes(size: number, memory: Memory): Uint8Array {
  if (memory === 'shared') return new Uint8Array(new SharedArrayBuffer(size));
  if (memory === 'own') return new Uint8Array(size);
  if (scratch.byteLength < size) scratch = new ArrayBuffer(size);
  return new Uint8Array(scratch, 0, size);
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new CascadeError(
      {
        code: 'data.damaged_file',
        where: path,
        what: 'This Arrow file cannot be read; it may be cut off or damaged.',
        mend: 'Run `cascade samples --force` with the same --config to write it anew.',
      },
      { cause },
    );
  }
}
