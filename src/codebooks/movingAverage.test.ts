import { describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { moveCodes } from './movingAverage.js';

describe('codes as moving averages', () => {
  it('have the golden values (tarq.md 2.8)', () => {
    const usage = Float32Array.of(3, 0.5);
    const smoothed = [3, 0.5].map((count) => (3.5 * (count + 1e-5)) / (3.5 + 2e-5));
    const codebook = Float32Array.of(3 / smoothed[0]!, 6 / smoothed[0]!, 1 / smoothed[1]!, 1 / smoothed[1]!);
    moveCodes(codebook, usage, Float32Array.of(1, 1, 2, 2, 0, 1), [0, 0, 1], 0.9);
    [2.9, 0.55].forEach((count, code) => expect(usage[code]).toBeCloseTo(count, 6));
    [1.034485, 1.965522, 1.636343, 1.818159].forEach((value, i) => expect(codebook[i]).toBeCloseTo(value, 5));
  });

  it('go to the mean of their vectors, and stay where they are when nothing chooses them', () => {
    const stream = RandomStream.of(1, 'moving');
    const codebook = Float32Array.of(0, 0, 7, -7);
    const usage = Float32Array.of(2, 2);
    for (let step = 0; step < 400; step++) {
      const vectors = Float32Array.from(
        { length: 8 },
        (_, i) => (i % 2 === 0 ? 3 : -1) + 0.1 * stream.normal(),
      );
      moveCodes(codebook, usage, vectors, [0, 0, 0, 0], 0.9);
    }
    expect(codebook[0]).toBeCloseTo(3, 1);
    expect(codebook[1]).toBeCloseTo(-1, 1);
    expect(usage[0]).toBeCloseTo(4, 3);
    expect(usage[1]).toBeLessThan(1e-6);
    expect(codebook.every(Number.isFinite)).toBe(true);
  });
});
