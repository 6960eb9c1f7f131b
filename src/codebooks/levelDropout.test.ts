import { expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { keptLevels } from './levelDropout.js';

it('quantizer dropout cuts a share of the vectors, evenly to 1 .. levels - 1', () => {
  const kept = keptLevels(20_000, 4, 0.6, RandomStream.of(1, 'levels'));
  const shares = [0, 1, 2, 3, 4, 5].map((levels) => kept.filter((k) => k === levels).length / kept.length);
  [0, 0.2, 0.2, 0.2, 0.4, 0].forEach((share, i) => expect(Math.abs(shares[i]! - share)).toBeLessThan(0.015));
  expect(keptLevels(9, 3, 0, RandomStream.of(1, 'none'))).toEqual(new Float32Array(9).fill(3));
});
