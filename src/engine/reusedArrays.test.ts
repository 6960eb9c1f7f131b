import { expect, it } from 'vitest';
import { ReusedArrays } from './reusedArrays.js';

it('gives the array of a name again, filled anew, and another one for another length or type', () => {
  const arrays = new ReusedArrays();
  const first = arrays.float('x', 3).fill(7);
  expect(arrays.float('x', 3)).toBe(first);
  expect([...first]).toEqual([0, 0, 0]);
  expect(arrays.float('y', 3)).not.toBe(first);
  expect([...arrays.float('x', 2, -1)]).toEqual([-1, -1]);
  expect(arrays.int('x', 2, 5)).toEqual(Int32Array.of(5, 5));
  expect(arrays.int('x', 2)).toEqual(Int32Array.of(0, 0));
});
