/**
 * Rows of one table as they come: a Float64Array per column, NaN = null. All our ids and times are whole numbers below 2^53, and
 * the other numbers end as floats, so nothing is lost. A list of channels is held as its bits; texts are the same in every row.
 */
import {
  isList,
  type Batch,
  type Column,
  type ScalarColumn,
  type ScalarType,
  type Schema,
} from '../../data/columns.js';
import { internal } from '../../errors.js';

export class Rows<S extends Schema> {
  count = 0;
  readonly columns: { readonly [K in keyof S]: Float64Array };

  constructor(
    private readonly schema: S,
    capacity: number,
  ) {
    const arrays = Object.keys(schema).map((name) => [name, new Float64Array(capacity).fill(NaN)] as const);
    this.columns = Object.fromEntries(arrays) as typeof this.columns; // has exactly the schema's keys
  }

  /** What was written, as columns of their own; there is room again afterwards. */
  take(texts: Readonly<Record<string, string>>): Batch {
    const { count: rows } = this;
    const columns: Record<string, Column> = {};
    for (const [name, type] of Object.entries(this.schema)) {
      const cells = this.columns[name]!.subarray(0, rows);
      if (type === 'VARCHAR') columns[name] = { values: new Array<string>(rows).fill(texts[name]!) };
      else if (isList(type)) columns[name] = bitLists(cells);
      else columns[name] = scalars(type, cells);
      cells.fill(NaN);
    }
    this.count = 0;
    return { rows, columns };
  }
}

function scalars(type: ScalarType, cells: Float64Array): ScalarColumn {
  const nulls = Uint8Array.from(cells, (cell) => (Number.isNaN(cell) ? 1 : 0));
  const filled = cells.map((cell) => (Number.isNaN(cell) ? 0 : cell));
  switch (type) {
    case 'BIGINT':
    case 'TIMESTAMP_MS':
      return { values: BigInt64Array.from(filled, BigInt), nulls };
    case 'INTEGER':
      return { values: Int32Array.from(filled), nulls };
    case 'SMALLINT':
      return { values: Int16Array.from(filled), nulls };
    case 'TINYINT':
      return { values: Int8Array.from(filled), nulls };
    case 'BOOLEAN':
      return { values: Uint8Array.from(filled), nulls };
    case 'FLOAT':
      return { values: Float32Array.from(filled), nulls };
    case 'DOUBLE':
      return { values: filled, nulls };
    case 'VARCHAR':
      return internal('texts are not held as numbers');
  }
}

/** The set bits of each cell as an ascending list; no bit = null. */
function bitLists(cells: Float64Array): Column {
  const offsets = new Int32Array(cells.length + 1);
  const bits: number[] = [];
  cells.forEach((cell, row) => {
    for (let bit = 0; bit < 16; bit++) if ((cell >> bit) & 1) bits.push(bit);
    offsets[row + 1] = bits.length;
  });
  const nulls = Uint8Array.from(cells, (cell) => (cell > 0 ? 0 : 1));
  return { offsets, child: { values: Int16Array.from(bits) }, nulls };
}
