/**
 * Where the rows of a table in training lie: weights, the optimiser's slots and the step after which they hold, side by side. A row
 * has a place in arrays in memory while it is worked on. In memory the place is the row itself and stays; a table in a file
 * (fileRows.ts) has places for the rows in use. All that is computed on rows (driftingRows.ts) is the same for both.
 */
import { internal } from '../../errors.js';
import { arraysForLoops } from '../loopMemory.js';
import { MemoryTable, type EmbeddingTable } from './embeddings.js';

export interface RowStore {
  /** The rows as they are, read through the store. */
  readonly table: EmbeddingTable;
  readonly values: Float32Array; // [place · width]
  readonly slots: readonly Float32Array[]; // [place · width] per slot of the optimiser
  /** The step after which each row's numbers hold; 0 = no step has touched it. */
  readonly since: Int32Array; // [place]
  /** What rows were at an earlier step that is to be remembered; only where a copy of the table would be too large. */
  readonly kept?: KeptRows;

  /** Whether every row has a place of its own; else a place holds until the next is asked for. */
  readonly placesStay: boolean;

  /** The place of a row. */
  placeOf(row: number): number;
  /** Notes that the numbers at a place were changed. */
  changed(place: number): void;
  /** A table of what `read` makes of its rows; whether it outlives the next step depends on the store. */
  view(read: RowReader): EmbeddingTable;
  /** The arrays that a checkpoint holds, by name. */
  arrays(): Readonly<Record<string, Float32Array | Int32Array>>;
}

/** Writes the rows at these places, as they are to be seen, one after another to `into` from `at`. */
export type RowReader = (places: Int32Array, into: Float32Array, at: number) => void;

/** The values of rows after step `step`, kept since they changed; a row that has not changed since then has another mark. */
export interface KeptRows {
  readonly values: Float32Array; // [place · width]
  readonly mark: Int32Array; // [place]
  /** Mark of the rows that are kept; 0 = nothing is to be kept. */
  present: number;
  step: number;
}

/** Rows that a view of a table in memory reads at once. */
const rowsOfRead = 4096;

/** The whole table in memory. */
export class MemoryRows implements RowStore {
  readonly placesStay = true;
  readonly table: MemoryTable;
  readonly values: Float32Array;
  readonly slots: readonly Float32Array[];
  readonly since: Int32Array;

  /** `slotStarts`: first value of each slot. The table, one in memory, is changed in place. */
  constructor(table: EmbeddingTable, slotStarts: readonly number[]) {
    this.table = table instanceof MemoryTable ? table : internal('a table in memory was asked for');
    const { values } = this.table;
    const [own, ...slots] = arraysForLoops([values, ...slotStarts].map(() => values.length));
    this.table.moveTo(own!);
    this.values = own!;
    this.slots = slots.map((slot, i) => slot.fill(slotStarts[i]!));
    this.since = new Int32Array(table.rows);
  }

  placeOf(row: number): number {
    return row;
  }

  changed(): void {
    // Nothing else holds the row.
  }

  view(read: RowReader): MemoryTable {
    const { rows, width } = this.table;
    const values = new Float32Array(rows * width);
    for (let first = 0; first < rows; first += rowsOfRead) {
      const length = Math.min(rowsOfRead, rows - first);
      read(
        Int32Array.from({ length }, (_, i) => first + i),
        values,
        first * width,
      );
    }
    return MemoryTable.from(rows, width, values);
  }

  arrays(): Record<string, Float32Array | Int32Array> {
    return {
      table: this.values,
      since: this.since,
      ...Object.fromEntries(this.slots.map((slot, i) => [`table slot ${i}`, slot])),
    };
  }
}

/** Rows that get no gradient: what steps make of them is forgotten. */
export class RestingRows implements RowStore {
  readonly placesStay = false;
  readonly values: Float32Array;
  readonly slots: readonly Float32Array[];
  readonly since = new Int32Array(1);
  private readonly id = new Int32Array(1);

  constructor(
    readonly table: EmbeddingTable,
    private readonly slotStarts: readonly number[],
  ) {
    this.values = new Float32Array(table.width);
    this.slots = slotStarts.map(() => new Float32Array(table.width));
  }

  placeOf(row: number): number {
    this.id[0] = row;
    this.table.gather(this.id, 1, this.values);
    this.slots.forEach((slot, i) => slot.fill(this.slotStarts[i]!));
    this.since[0] = 0;
    return 0;
  }

  changed(): void {
    // Changed in the one place that the next row takes.
  }

  view(): EmbeddingTable {
    return this.table;
  }

  arrays(): Record<string, never> {
    return {};
  }
}
