import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdIndex } from './idIndex.js';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe('IdIndex', () => {
  it('finds what a Map of bigints finds, for ids of any size and sign', () => {
    fc.assert(
      fc.property(fc.uniqueArray(int64, { maxLength: 200 }), fc.array(int64), (ids, others) => {
        const index = new IdIndex(BigInt64Array.from(ids));
        const expected = new Map(ids.map((id, place) => [id, place]));
        const wanted = [...ids, ...others];
        expect([...index.placesOf(BigInt64Array.from(wanted))]).toEqual(
          wanted.map((id) => expected.get(id) ?? -1),
        );
      }),
    );
  });

  it('keeps ids apart that are equal in one of their words', () => {
    const ids = BigInt64Array.from([1n, 1n << 32n, (1n << 32n) + 1n, -1n, 0xffffffffn]);
    expect([...new IdIndex(ids).placesOf(ids)]).toEqual([0, 1, 2, 3, 4]);
  });

  it('is quick on runs of ids and on ids that differ in their high word alone', () => {
    const n = 200_000;
    const runs = BigInt64Array.from({ length: n }, (_, i) => BigInt(i));
    const high = runs.map((id) => id << 32n);
    const started = performance.now();
    for (const ids of [runs, high]) expect(new IdIndex(ids).placesOf(ids).at(-1)).toBe(n - 1);
    expect(performance.now() - started).toBeLessThan(2000); // about 50 ms; piled up it would take minutes
  });

  it('holds no id when given none', () => {
    expect([...new IdIndex(new BigInt64Array(0)).placesOf(BigInt64Array.of(0n))]).toEqual([-1]);
  });
});
