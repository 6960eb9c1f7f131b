/**
 * Columns in memory, as they pass between DuckDB, Parquet and our own code: flat typed arrays, lists as values + offsets
 * (Arrow's layout). No value is boxed, no int64 is rounded: ids and times in milliseconds are BigInt64Array.
 */

/** SQL types that our tables use. Times are TIMESTAMP_MS: milliseconds since 1970 in UTC. */
export type ScalarType =
  'BOOLEAN' | 'TINYINT' | 'SMALLINT' | 'INTEGER' | 'BIGINT' | 'FLOAT' | 'DOUBLE' | 'VARCHAR' | 'TIMESTAMP_MS';

export type ColumnType = ScalarType | `${ScalarType}[]`;

/** Values of one scalar column. BOOLEAN is Uint8Array of 0/1; VARCHAR is string[]; the value under a null is 0 or ''. */
export type Values =
  Uint8Array | Int8Array | Int16Array | Int32Array | BigInt64Array | Float32Array | Float64Array | string[];

export interface ScalarColumn {
  readonly values: Values;
  /** 1 = null; absent when no value is null. */
  readonly nulls?: Uint8Array;
}

export interface ListColumn {
  /** Start of each list in `child`; one longer than the number of rows. */
  readonly offsets: Int32Array;
  readonly child: ScalarColumn;
  readonly nulls?: Uint8Array;
}

export type Column = ScalarColumn | ListColumn;

/** Some rows of a table: columns by name, all of the same length. */
export interface Batch {
  readonly rows: number;
  readonly columns: Readonly<Record<string, Column>>;
}

/** Name and type of each column, in order. */
export type Schema = Readonly<Record<string, ColumnType>>;

export const isList = (type: ColumnType): type is `${ScalarType}[]` => type.endsWith('[]');

/** The element type of a list, or the type itself. */
export const elementType = (type: ColumnType): ScalarType => type.replace('[]', '') as ScalarType;

/** A new array of `length` zeros (or empty strings) for a type. */
export function allocate(type: ScalarType, length: number): Values {
  switch (type) {
    case 'BOOLEAN':
      return new Uint8Array(length);
    case 'TINYINT':
      return new Int8Array(length);
    case 'SMALLINT':
      return new Int16Array(length);
    case 'INTEGER':
      return new Int32Array(length);
    case 'BIGINT':
    case 'TIMESTAMP_MS':
      return new BigInt64Array(length);
    case 'FLOAT':
      return new Float32Array(length);
    case 'DOUBLE':
      return new Float64Array(length);
    case 'VARCHAR':
      return new Array<string>(length).fill('');
  }
}

/** What one cell may hold when rows are given as objects: a list for list types, null for a null. */
export type Cell =
  number | bigint | boolean | string | null | readonly (number | bigint | boolean | string | null)[];

/** Columns from rows given as objects; a missing key is a null. For small tables and for building up a shard row by row. */
export function columnsOf(
  schema: Schema,
  rows: readonly Readonly<Record<string, Cell | undefined>>[],
): Batch {
  const columns: Record<string, Column> = {};
  for (const [name, type] of Object.entries(schema)) {
    const cells = rows.map((row) => row[name] ?? null);
    if (isList(type)) {
      const offsets = new Int32Array(rows.length + 1);
      const flat: (number | bigint | boolean | string | null)[] = [];
      cells.forEach((cell, i) => {
        if (Array.isArray(cell)) for (const element of cell as readonly (number | null)[]) flat.push(element);
        offsets[i + 1] = flat.length;
      });
      const nulls = nullMask(cells);
      columns[name] = { offsets, child: scalarColumn(elementType(type), flat), ...(nulls && { nulls }) };
    } else {
      columns[name] = scalarColumn(type, cells as (number | bigint | boolean | string | null)[]);
    }
  }
  return { rows: rows.length, columns };
}

function scalarColumn(
  type: ScalarType,
  cells: readonly (number | bigint | boolean | string | null)[],
): ScalarColumn {
  const values = allocate(type, cells.length);
  cells.forEach((cell, i) => {
    if (cell === null) return;
    if (values instanceof BigInt64Array) values[i] = BigInt(cell);
    else if (Array.isArray(values)) values[i] = String(cell);
    else values[i] = Number(cell);
  });
  const nulls = nullMask(cells);
  return nulls ? { values, nulls } : { values };
}

function nullMask(cells: readonly unknown[]): Uint8Array | undefined {
  if (!cells.includes(null)) return undefined;
  return Uint8Array.from(cells, (cell) => (cell === null ? 1 : 0));
}
