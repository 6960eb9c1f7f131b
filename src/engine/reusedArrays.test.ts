import { expect, it } from 'vitest';
import { ReusedArrays } from './reusedArrays.js';

it('gives the array of a name again, and another one for another length or type', () => {
  const arrays = new ReusedArrays();
  const first = arrays.float('x', 3).fill(7);
  expect(arrays.float('x', 3)).toBe(first);
  expect(arrays.float('y', 3)).toEqual(new Float32Array(3));
  expect(arrays.float('x', 2)).toEqual(new Float32Array(2));
  expect(arrays.int('x', 2)).toEqual(new Int32Array(2));
  const put = Int32Array.of(4, 5);
  arrays.put('x', put);
  expect(arrays.int('x', 2)).toBe(put);
});
