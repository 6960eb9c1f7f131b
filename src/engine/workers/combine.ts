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
  const outputs = await addScalars(workers, own);
  const { rows, places } = unite(await workers.gather(rowIds.subarray(0, rowCount)));
  let squares = 0;
  for (const [name, values] of Object.entries(own) as [string, Float32Array][]) {
    if (!name.startsWith('gradient:')) continue;
    let whole = values;
    if (name.startsWith('gradient:rows:')) {
      const width = values.length / rowIds.length;
      const parts = await workers.gather(values.subarray(0, rowCount * width));
      whole = addRows(parts, places, width, rows.rowCount);
    } else await workers.sum(values);
    for (let i = 0; i < whole.length; i++) squares += whole[i]! * whole[i]!;
    outputs[name] = whole;
  }
  return { rows, outputs: { ...outputs, gradient_norm: Float32Array.of(Math.sqrt(squares)) } };
}

/** Loss, terms and the like in one message. */
async function addScalars(workers: Workers, own: Outputs): Promise<Record<string, TensorData>> {
  const names = Object.keys(own).filter((name) => own[name]!.length === 1);
  const sums = Float32Array.from(names, (name) => own[name]![0]!);
  await workers.sum(sums);
  return Object.fromEntries(names.map((name, i) => [name, sums.subarray(i, i + 1)]));
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
  parts.forEach((part, worker) => {
    const to = places[worker]!;
    for (let row = 0; row < to.length; row++) {
      const at = to[row]! * width;
      const from = row * width;
      for (let i = 0; i < width; i++) sums[at + i]! += part[from + i]!;
    }
  });
  return sums;
}
