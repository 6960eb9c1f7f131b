import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Distinct } from './distinct.js';

describe('distinct numbers', () => {
  it('are listed once, in order of first appearance, and forgotten when cleared', () => {
    const distinct = new Distinct();
    const member = fc.oneof(fc.nat({ max: 50 }), fc.nat({ max: 2 ** 31 - 1 }));
    fc.assert(
      fc.property(fc.array(member, { maxLength: 300 }), (list) => {
        const places = list.map((one) => distinct.place(one));
        const expected = [...new Set(list)];
        expect(distinct.list()).toEqual(expected);
        expect(distinct.count).toBe(expected.length);
        expect(places).toEqual(list.map((one) => expected.indexOf(one)));
        distinct.clear();
        expect(distinct.list()).toEqual([]);
      }),
    );
  });

  it.each([1, 4096, 2 ** 14])('grow beyond where they began, %d from one to the next', (stride) => {
    const distinct = new Distinct();
    const numbers = Array.from({ length: 100_000 }, (_, i) => i * stride);
    const places = Array.from(numbers.keys());
    expect(numbers.map((number) => distinct.place(number))).toEqual(places);
    expect(numbers.map((number) => distinct.place(number))).toEqual(places);
  });
});
