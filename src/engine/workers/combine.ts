/**
 * The steps that workers take on their parts of a batch, put together: outputs of a step over the whole batch, the same bytes on every
 * worker. Dense gradients, losses and their terms are sums (wholeBatch.ts); embedding rows that several workers met are added up by
 * rank, so that their order does not depend on who was faster.
 */
import type { TensorData } from '../compiledGraph.js';
import { Distinct } from '../distinct.js';
import type { FeedBatch } from '../gradients.js';
import type { Workers } from './workers.js';

type Outputs = Readonly<Record<string, TensorData>>;

type Rows = Pick<FeedBatch, 'rowIds' | 'rowCount'>;

export interface WholeStep {
  readonly rows: Rows;
  readonly outputs: Outputs;
}

export async function combine(
  workers: Workers,
  { rowIds, rowCount }: Rows,
  own: Outputs,
): Promise<WholeStep> {
  const isRows = (name: string) => name.startsWith('gradient:rows:');
  const outputs = await addUp(
    workers,
    Object.entries(own).filter(([name]) => !isRows(name)),
  );
  const tables = Object.entries(own).flatMap(([name, values]) =>
    isRows(name) ? [{ name, values: values as Float32Array, width: values.length / rowIds.length }] : [],
  );
  const widths = tables.map(({ width }) => width);
  const packed = packRows(
    { rowIds, rowCount },
    tables.map(({ values }) => values),
    widths,
  );
  const parts = (await workers.gather(packed)).map((part) => unpackRows(part, widths));
  const { rows, places } = unite(parts.map(({ ids }) => ids));
  tables.forEach(({ name, width }, table) => {
    const ofTable = parts.map(({ values }) => values[table]!);
    outputs[name] = addRows(ofTable, places, width, rows.rowCount);
  });
  return { rows, outputs: { ...outputs, gradient_norm: Float32Array.of(normOfGradients(outputs)) } };
}

/** Loss, terms and dense gradients in one message: whoever is slower is waited for once. */
async function addUp(
  workers: Workers,
  own: readonly (readonly [name: string, values: TensorData])[],
): Promise<Record<string, TensorData>> {
  const all = new Float32Array(own.reduce((sum, [, { length }]) => sum + length, 0));
  const sums: Record<string, TensorData> = {};
  let at = 0;
  for (const [name, values] of own) {
    all.set(values, at);
    sums[name] = all.subarray(at, (at += values.length));
  }
  await workers.sum(all);
  return sums;
}

/** The ids of a part's rows and these rows of every table in one message: as many numbers for each row, ids by their bits. */
function packRows(
  { rowIds, rowCount }: Rows,
  tables: readonly Float32Array[],
  widths: readonly number[],
): Float32Array {
  const packed = new Float32Array(rowCount * numbersOfRow(widths));
  new Int32Array(packed.buffer).set(rowIds.subarray(0, rowCount));
  let at = rowCount;
  tables.forEach((values, i) => {
    packed.set(values.subarray(0, rowCount * widths[i]!), at);
    at += rowCount * widths[i]!;
  });
  return packed;
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

/** Distinct rows in order of first appearance, and where those of each list stand among them. */
function unite(lists: readonly Int32Array[]): { rows: Rows; places: readonly Int32Array[] } {
  const known = new Distinct();
  const places = lists.map((list) => list.map((row) => known.place(row)));
  const rowIds = Int32Array.from(known.list());
  return { rows: { rowIds, rowCount: rowIds.length }, places };
}

/** Rows of all parts, [row, width] each, added up where they belong. */
function addRows(
  parts: readonly Float32Array[],
  places: readonly Int32Array[],
  width: number,
  count: number,
): Float32Array {
  const sums = new Float32Array(count * width);
  sums.set(parts[0]!); // the first rows of all are the first worker's
  for (let i = 1; i < parts.length; i++) addPart(parts[i]!, places[i]!, width, sums);
  return sums;
}

function addPart(part: Float32Array, places: Int32Array, width: number, sums: Float32Array): void {
  for (let row = 0, from = 0; row < places.length; row++) {
    const at = places[row]! * width;
    for (let i = 0; i < width; i++) sums[at + i] = sums[at + i]! + part[from++]!;
  }
}
