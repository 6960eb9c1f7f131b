/**
 * The steps that workers take on their parts of a batch, put together: outputs of a step over the whole batch, the same bytes on every
 * worker. Dense gradients, losses and their terms are sums (wholeBatch.ts); embedding rows that several workers met are added up by
 * rank, so that their order does not depend on who was faster.
 */
import type { TensorData } from '../compiledGraph.js';
import { Distinct } from '../distinct.js';
import type { FeedBatch } from '../gradients.js';
import { GrowingArrays } from './growingArrays.js';
import type { Workers } from './workers.js';

type Outputs = Readonly<Record<string, TensorData>>;

type Rows = Pick<FeedBatch, 'rowIds' | 'rowCount'>;

export interface WholeStep {
  readonly rows: Rows;
  readonly outputs: Outputs;
}

export class WholeSteps {
  private readonly arrays = new GrowingArrays();
  private readonly distinct = new Distinct();

  constructor(private readonly workers: Workers) {}

  /**
   * Of this worker's rows and outputs, and of how many rows each worker has; the arrays of what comes back are written again in the next
   * step.
   */
  async of({ rowIds, rowCount }: Rows, own: Outputs, rowCounts: Int32Array): Promise<WholeStep> {
    const isRows = (name: string) => name.startsWith('gradient:rows:');
    const outputs = await this.addUp(Object.entries(own).filter(([name]) => !isRows(name)));
    const tables = Object.entries(own).flatMap(([name, values]) =>
      isRows(name) ? [{ name, values: values as Float32Array, width: values.length / rowIds.length }] : [],
    );
    const widths = tables.map(({ width }) => width);
    const values = tables.map((table) => table.values);
    const packed = this.packRows({ rowIds, rowCount }, values, widths);
    const lengths = rowCounts.map((count) => count * numbersOfRow(widths));
    const parts = (await this.workers.gather(packed, lengths)).map((part) => unpackRows(part, widths));
    const { rows, places } = unite(
      parts.map(({ ids }) => ids),
      this.distinct,
    );
    tables.forEach(({ name, width }, table) => {
      const sums = this.arrays.of(name, rows.rowCount * width);
      const ofTable = parts.map((part) => part.values[table]!);
      addRows(ofTable, places, width, sums);
      outputs[name] = sums;
    });
    return { rows, outputs: { ...outputs, gradient_norm: Float32Array.of(normOfGradients(outputs)) } };
  }

  /** Loss, terms and dense gradients in one message: whoever is slower is waited for once. */
  private async addUp(
    own: readonly (readonly [name: string, values: TensorData])[],
  ): Promise<Record<string, TensorData>> {
    const length = own.reduce((sum, [, values]) => sum + values.length, 0);
    const all = this.arrays.of('dense', length);
    const sums: Record<string, TensorData> = {};
    let at = 0;
    for (const [name, values] of own) {
      all.set(values, at);
      sums[name] = all.subarray(at, (at += values.length));
    }
    await this.workers.sum(all);
    return sums;
  }

  /** The ids of a part's rows and these rows of every table in one message: as many numbers for each row, ids by their bits. */
  private packRows(
    { rowIds, rowCount }: Rows,
    tables: readonly Float32Array[],
    widths: readonly number[],
  ): Float32Array {
    const packed = this.arrays.of('rows', rowCount * numbersOfRow(widths));
    new Int32Array(packed.buffer, 0, rowCount).set(rowIds.subarray(0, rowCount));
    let at = rowCount;
    tables.forEach((values, i) => {
      packed.set(values.subarray(0, rowCount * widths[i]!), at);
      at += rowCount * widths[i]!;
    });
    return packed;
  }
}

function unpackRows(packed: Float32Array, widths: readonly number[]) {
  const count = packed.length / numbersOfRow(widths);
  let at = count;
  return {
    ids: new Int32Array(packed.buffer, packed.byteOffset, count),
    values: widths.map((width) => packed.subarray(at, (at += count * width))),
  };
}

const numbersOfRow = (widths: readonly number[]) => widths.reduce((sum, width) => sum + width, 1);

function normOfGradients(outputs: Outputs): number {
  let squares = 0;
  for (const [name, values] of Object.entries(outputs))
    if (name.startsWith('gradient:')) squares += sumOfSquares(values as Float32Array);
  return Math.sqrt(squares);
}

/** Four sums side by side: one waits for its last addition at each number. */
function sumOfSquares(values: Float32Array): number {
  const whole = values.length - (values.length % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    a += values[i]! * values[i]!;
    b += values[i + 1]! * values[i + 1]!;
    c += values[i + 2]! * values[i + 2]!;
    d += values[i + 3]! * values[i + 3]!;
  }
  for (let i = whole; i < values.length; i++) a += values[i]! * values[i]!;
  return a + b + c + d;
}

/** Distinct rows in order of first appearance, and where those of each list stand among them. `known` is filled anew. */
function unite(lists: readonly Int32Array[], known: Distinct): { rows: Rows; places: readonly Int32Array[] } {
  known.clear();
  const places = lists.map((list) => {
    const of = new Int32Array(list.length);
    for (let i = 0; i < list.length; i++) of[i] = known.place(list[i]!);
    return of;
  });
  const rowIds = Int32Array.from(known.list());
  return { rows: { rowIds, rowCount: rowIds.length }, places };
}

/** Adds up rows of all parts, [row, width] each, where they belong. */
function addRows(
  parts: readonly Float32Array[],
  places: readonly Int32Array[],
  width: number,
  sums: Float32Array,
): void {
  sums.set(parts[0]!); // the first rows of all are the first worker's
  sums.fill(0, parts[0]!.length);
  for (let i = 1; i < parts.length; i++) addPart(parts[i]!, places[i]!, width, sums);
}

function addPart(part: Float32Array, places: Int32Array, width: number, sums: Float32Array): void {
  for (let row = 0; row < places.length; row++) addRow(part, row * width, width, sums, places[row]! * width);
}

/** Four numbers at a time: half the time of one by one. */
function addRow(part: Float32Array, from: number, width: number, sums: Float32Array, at: number): void {
  const end = from + width;
  for (; from + 4 <= end; from += 4, at += 4) {
    const a = sums[at]! + part[from]!;
    const b = sums[at + 1]! + part[from + 1]!;
    const c = sums[at + 2]! + part[from + 2]!;
    const d = sums[at + 3]! + part[from + 3]!;
    sums[at] = a;
    sums[at + 1] = b;
    sums[at + 2] = c;
    sums[at + 3] = d;
  }
  for (; from < end; from++, at++) sums[at] = sums[at]! + part[from]!;
}
