import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnsOf, type Batch, type ListColumn, type ScalarColumn } from '../data/columns.js';
import { groupRequests } from './group.js';
import { longRow } from './rows.js';

/** Long rows of requests with these numbers of candidates; `splits` are their splits, ascending. */
const rowsOf = (lengths: readonly number[], splits: readonly number[]) =>
  lengths.flatMap((length, r) =>
    Array.from({ length }, (_, c) => ({
      split: splits[r]!,
      request_id: 100 + r,
      user_id: r,
      ts: 1000 * r,
      dt: `2024-01-0${splits[r]! + 1}`,
      n_behaviours: r,
      item_id: 10 * r + c,
      label: c % 2,
      exposed: c === 0,
      stage: 6,
      negative_kind: c % 2 === 1 ? 0 : 4,
      weight: 1,
      incl_prob: 1,
      draw_prob: c % 2 === 1 ? null : 0.5,
    })),
  );

async function* inBatches(rows: ReturnType<typeof rowsOf>, sizes: readonly number[]): AsyncGenerator<Batch> {
  let from = 0;
  for (let i = 0; from < rows.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield await Promise.resolve(columnsOf(longRow, rows.slice(from, from + size)));
    from += size;
  }
}

async function partsOf(rows: AsyncIterable<Batch>, maxRequests: number): Promise<Batch[]> {
  const parts: Batch[] = [];
  for await (const part of groupRequests(rows, maxRequests)) parts.push(structuredClone(part));
  return parts;
}

const scalar = (part: Batch, name: string) => [...(part.columns[name] as ScalarColumn).values];
function lists(part: Batch, name: string) {
  const { offsets, child } = part.columns[name] as ListColumn;
  const cells = [...child.values].map((value, i) => (child.nulls?.[i] ? null : value));
  return Array.from({ length: part.rows }, (_, i) => cells.slice(offsets[i], offsets[i + 1]));
}

describe('grouping rows into parts', () => {
  it('keeps every candidate with its request, however the rows come in and whatever the size of a part', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(2)), { minLength: 1, maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        async (requests, sizes, maxRequests) => {
          const lengths = requests.map(([length]) => length);
          const splits = requests.map(([, split]) => split).toSorted();
          const parts = await partsOf(inBatches(rowsOf(lengths, splits), sizes), maxRequests);
          expect(parts.flatMap((part) => scalar(part, 'request_id'))).toEqual(
            lengths.map((_, r) => BigInt(100 + r)),
          );
          expect(parts.flatMap((part) => scalar(part, 'n_behaviours'))).toEqual(lengths.map((_, r) => r));
          expect(parts.flatMap((part) => lists(part, 'item_ids'))).toEqual(
            lengths.map((length, r) => Array.from({ length }, (_, c) => BigInt(10 * r + c))),
          );
          expect(parts.flatMap((part) => lists(part, 'negative_kind'))).toEqual(
            lengths.map((length) => Array.from({ length }, (_, c) => (c % 2 === 1 ? 0 : 4))),
          );
          expect(parts.flatMap((part) => lists(part, 'draw_prob'))).toEqual(
            lengths.map((length) => Array.from({ length }, (_, c) => (c % 2 === 1 ? null : 0.5))),
          );
          for (const part of parts) {
            expect(part.rows).toBeLessThanOrEqual(maxRequests);
            expect(new Set(scalar(part, 'split')).size).toBe(1);
          }
          // No part is begun before the one before it is full or its split is over.
          const needed = [0, 1, 2].map((s) =>
            Math.ceil(splits.filter((split) => split === s).length / maxRequests),
          );
          expect(parts).toHaveLength(needed.reduce((a, b) => a + b));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('makes no part of no rows', async () => {
    expect(await partsOf(inBatches([], [1]), 4)).toEqual([]);
  });
});
