import { beforeAll, describe, expect, it } from 'vitest';
import { behavioursOf, testData } from '../../test/support/encoded.js';
import { blockOf } from '../../test/support/models.js';
import type { FeedBatch } from '../engine/gradients.js';
import { BatchAssembler, shortestLists } from './batches.js';
import type { EncodedData } from './encodedData.js';
import { epochWindows } from './requestOrder.js';
import type { ShardEntry } from './shards.js';

let data: EncodedData;
beforeAll(() => {
  data = testData();
});

/** Everything that stands in a batch for one request, looked up the slow way from the encoded files. */
function expectRequest(batch: FeedBatch, set: 'a' | 'b', entry: ShardEntry, row: number, r: number): void {
  const shard = data.shard(entry);
  const of = (name: string) => batch.tensors[name]!;
  const cell = (name: string, ...index: number[]) => {
    const { spec, data: values } = of(name);
    return values[index.reduce((at, i, axis) => at * spec.shape[axis]! + i, 0)]!;
  };
  const itemOf = (place: number) =>
    Array.from({ length: 3 }, (_, slot) => batch.rowIds[cell('items/slots', place, slot)]);
  const slotsOf = (item: number) => Array.from(data.items.slots.subarray(item * 3, item * 3 + 3));

  const [from, to] = [shard.offsets[row]!, shard.offsets[row + 1]!];
  const width = of(`${set}/candidates`).spec.shape[1]!;
  for (let c = 0; c < width; c++) {
    expect(cell(`${set}/candidate_mask`, r, c)).toBe(c < to - from ? 1 : 0);
    if (c >= to - from) continue;
    const item = shard.items[from + c]!;
    expect(itemOf(cell(`${set}/candidates`, r, c))).toEqual(slotsOf(item));
    expect(cell('items/numbers', cell(`${set}/candidates`, r, c), 0)).toBe(data.items.numbers[item * 2]);
    expect(cell(`${set}/label`, r, c)).toBe(shard.label[from + c]);
    expect(cell(`${set}/weight`, r, c)).toBe(shard.weight[from + c]);
  }
  const user = shard.user[row]!;
  const prefix = shard.behaviours[row]!;
  const sequence = behavioursOf(data.sequences, user).slice(0, prefix);
  const newestFirst = sequence.toReversed().slice(0, 8);
  for (let age = 0; age < 8; age++) {
    expect(cell(`${set}/behaviour_mask`, r, age)).toBe(age < newestFirst.length ? 1 : 0);
    if (age < newestFirst.length)
      expect(itemOf(cell(`${set}/behaviours`, r, age))).toEqual(slotsOf(newestFirst[age]!));
  }
  for (let slot = 0; slot < 4; slot++) {
    const expected = data.users.slots[user * 4 + slot]!;
    expect(cell(`${set}/user_slot_mask`, r, slot)).toBe(expected < 0 ? 0 : 1);
    if (expected >= 0) expect(batch.rowIds[cell(`${set}/user_slots`, r, slot)]).toBe(expected);
  }
  expect(batch.rowIds[cell(`${set}/context_slots`, r, 0)]).toBe(shard.slots[row]);
  // Match counts: for each field the known values of the kept behaviours, ascending, with how often they occur.
  for (let field = 0; field < 3; field++) {
    const firstKnown = [62, 122, 142][field]!;
    const counts = new Map<number, number>();
    for (const item of newestFirst) {
      const value = slotsOf(item)[field]!;
      if (value >= firstKnown) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const ascending = [...counts].toSorted(([a], [b]) => a - b);
    for (let i = 0; i < 8; i++) {
      expect(cell(`${set}/match_values`, r, field, i)).toBe(ascending[i]?.[0] ?? 2 ** 31 - 1);
      expect(cell(`${set}/match_counts`, r, field, i)).toBe(ascending[i]?.[1] ?? 0);
    }
  }
}

const allOf = (requests: number) => Array.from({ length: requests }, (_, row) => ({ shard: 0, row }));

describe('a batch', () => {
  it.each(['own', 'until the next'] as const)(
    'holds for every request of both sets what the files hold, and masks the rest: %s',
    (lasting) => {
      const assembler = new BatchAssembler(data, { matchCounts: true }, shortestLists, lasting);
      assembler.assemble([
        { shape: blockOf(data, 'a', 9), entries: data.shards('a', 'train'), refs: allOf(9) },
        { shape: blockOf(data, 'b', 2), entries: data.shards('b', 'train'), refs: allOf(2) },
      ]); // what is written over
      const a = {
        shape: blockOf(data, 'a', 9),
        entries: data.shards('a', 'train'),
        refs: [...[3, 0, 7].map((row) => ({ shard: 1, row })), { shard: 0, row: 5 }],
      };
      const b = {
        shape: blockOf(data, 'b', 2),
        entries: data.shards('b', 'train'),
        refs: [
          { shard: 0, row: 4 },
          { shard: 0, row: 1 },
        ],
      };
      for (let again = 0; again < 2; again++) {
        const batch = assembler.assemble([a, b]);
        a.refs.forEach(({ shard, row }, r) => {
          expectRequest(batch, 'a', a.entries[shard]!, row, r);
        });
        b.refs.forEach(({ shard, row }, r) => {
          expectRequest(batch, 'b', b.entries[shard]!, row, r);
        });
        const mask = batch.tensors['a/candidate_mask']!;
        expect(mask.data.subarray(4 * mask.spec.shape[1]!).every((value) => value === 0)).toBe(true);
        expect(new Set(batch.rowIds.subarray(0, batch.rowCount)).size).toBe(batch.rowCount);
      }
    },
  );

  it('masks candidates without a score of the teacher, and keeps their NaN out', () => {
    const assembler = new BatchAssembler(data, { matchCounts: false });
    const entries = data.shards('b', 'train');
    const { offsets } = data.shard(entries[0]!);
    const scores = (entry: ShardEntry) => ({
      logit: Float32Array.from({ length: entry.candidates }, (_, i) => (i % 3 === 0 ? Number.NaN : i)),
      rank: Int32Array.from({ length: entry.candidates }, (_, i) => (i % 3 === 0 ? 0 : 7)),
    });
    const refs = [{ shard: 0, row: 2 }];
    const { tensors } = assembler.assemble([
      { shape: blockOf(data, 'b', 2), entries, refs, teacher: scores },
    ]);
    const from = offsets[2]!;
    const count = offsets[3]! - from;
    const width = tensors['b/teacher']!.spec.shape[1]!;
    for (let c = 0; c < 2 * width; c++) {
      const isScored = c < count && (from + c) % 3 !== 0;
      expect(tensors['b/teacher_mask']!.data[c]).toBe(isScored ? 1 : 0);
      expect(tensors['b/teacher']!.data[c]).toBe(isScored ? from + c : 0);
      expect(tensors['b/teacher_rank']!.data[c]).toBe(isScored ? 7 : 0);
      expect(tensors['b/candidate_mask']!.data[c]).toBe(c < count ? 1 : 0);
    }
  });

  it('refuses a request that does not fit its block', () => {
    const assembler = new BatchAssembler(data, { matchCounts: false });
    const shape = { set: 'b', requests: 1, candidates: 3 } as const;
    const block = { shape, entries: data.shards('b', 'train'), refs: [{ shard: 0, row: 0 }] };
    expect(() => assembler.assemble([block])).toThrow(/has \d candidates, its block room for 3/);
  });
});

describe('the order of an epoch', () => {
  const entries = Array.from({ length: 11 }, (_, i) => ({
    file: `a/${i}`,
    split: 'train' as const,
    requests: 5 + i,
    candidates: 0,
    positives: 0,
    maxCandidates: 1,
  }));
  const total = entries.reduce((sum, entry) => sum + entry.requests, 0);
  const order = (position: number, epoch: number) =>
    [...epochWindows(entries, position, { seed: 1, name: 'test', epoch })]
      .flat()
      .map(({ shard, row }) => `${shard}/${row}`);

  it('visits every request once, differently in each epoch', () => {
    const first = order(0, 0);
    expect(new Set(first).size).toBe(total);
    expect(first).toHaveLength(total);
    expect(order(0, 0)).toEqual(first);
    expect(order(0, 1)).not.toEqual(first);
    expect(order(0, 1).toSorted()).toEqual(first.toSorted());
  });

  it('goes on from any position as if it had come there', () => {
    const first = order(0, 3);
    for (const position of [0, 1, 17, 44, total - 1, total])
      expect(order(position, 3)).toEqual(first.slice(position));
  });

  it('is that of the files without shuffling', () => {
    const plain = [...epochWindows(entries, 0)].flat();
    expect(plain.map(({ shard }) => shard)).toEqual(
      entries.flatMap((entry, shard) => Array<number>(entry.requests).fill(shard)),
    );
  });
});
