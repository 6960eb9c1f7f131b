/**
 * Embedding tables. A step is given the rows that its batch touches and gives them back changed, so that its cost grows with the
 * batch and not with the vocabulary. A table lies in host memory (`MemoryTable`) or holds only the rows that differ from first values
 * that anyone can make again (`SparseTable`): in the model file of an earlier stage (storedTable.ts) or of a training (fileRows.ts).
 */
import { internal } from '../../errors.js';
import type { RandomStream } from '../random.js';

export interface EmbeddingTable {
  readonly rows: number;
  readonly width: number;
  /** Copies rows `ids[0..count)` to the start of `into`; the rest of `into` is left as it is. */
  gather(ids: Int32Array, count: number, into: Float32Array): void;
  /** A table that later steps do not touch. */
  copy(): EmbeddingTable;
}

/** What first values are made from, each row from its number alone (seededTable.ts). */
export interface Seeding {
  readonly rows: number;
  readonly width: number;
  readonly deviation: number;
  /** 64 bits drawn from the run's seed and the table's name. */
  readonly key: readonly [number, number];
}

/** A table of which only some rows are kept. */
export interface SparseTable extends EmbeddingTable {
  /** What a row is that is not kept. */
  readonly first: Seeding;
  /** The rows that are kept, ascending, some at a time. */
  keptRows(): Iterable<Int32Array>;
}

export const isSparse = (table: EmbeddingTable): table is SparseTable => 'keptRows' in table;

export class MemoryTable implements EmbeddingTable {
  private constructor(
    readonly rows: number,
    readonly width: number,
    /** [rows, width], row-major. */
    private own: Float32Array,
  ) {}

  get values(): Float32Array {
    return this.own;
  }

  /** A table with normal first values of the given standard deviation. */
  static random(rows: number, width: number, deviation: number, stream: RandomStream): MemoryTable {
    return new MemoryTable(rows, width, stream.normals(rows * width, deviation));
  }

  static from(rows: number, width: number, values: Float32Array): MemoryTable {
    if (values.length !== rows * width)
      internal(`${values.length} numbers for a table of ${rows} x ${width}`);
    return new MemoryTable(rows, width, values);
  }

  /** Lays the table into other memory of its size, where it is changed from then on. */
  moveTo(values: Float32Array): void {
    values.set(this.own);
    this.own = values;
  }

  copy(): MemoryTable {
    return new MemoryTable(this.rows, this.width, this.values.slice());
  }

  gather(ids: Int32Array, count: number, into: Float32Array): void {
    const { width, values } = this;
    for (let i = 0; i < count; i++) {
      const from = ids[i]! * width;
      copyRow(values, from, into, i * width, width);
    }
  }
}

/** From this width on a block copy is as fast as a loop, though it makes an object. */
const blockWidth = 64;

export function copyRow(
  source: Float32Array,
  from: number,
  target: Float32Array,
  to: number,
  width: number,
): void {
  if (width >= blockWidth) {
    target.set(source.subarray(from, from + width), to);
    return;
  }
  const end = from + width;
  for (; from + 4 <= end; from += 4, to += 4) {
    // Four at a time wait less for one another: two thirds of the time.
    const a = source[from]!;
    const b = source[from + 1]!;
    const c = source[from + 2]!;
    const d = source[from + 3]!;
    target[to] = a;
    target[to + 1] = b;
    target[to + 2] = c;
    target[to + 3] = d;
  }
  for (; from < end; from++, to++) target[to] = source[from]!;
}
