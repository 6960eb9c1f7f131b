import { describe, expect, it } from 'vitest';
import { RandomStream } from './random.js';

describe('named random streams', () => {
  it('repeat for the same seed and name, and differ for another', () => {
    const draw = (seed: number, name: string) => {
      const stream = RandomStream.of(seed, name);
      return [stream.uniform(), stream.uniform(), stream.normal()];
    };
    expect(draw(1, 'shuffle')).toEqual(draw(1, 'shuffle'));
    expect(draw(1, 'shuffle')).not.toEqual(draw(2, 'shuffle'));
    expect(draw(1, 'shuffle')).not.toEqual(draw(1, 'init'));
  });

  it('go on from a saved state', () => {
    const stream = RandomStream.of(7, 'x');
    stream.normal();
    const copy = RandomStream.from(stream.state);
    expect(copy.permutation(50)).toEqual(stream.permutation(50));
  });

  it('are uniform and normal enough: chi-square over 100 cells, moments to 3 standard errors', () => {
    const stream = RandomStream.of(3, 'moments');
    const n = 100_000;
    const cells = new Int32Array(100);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      cells[stream.below(100)]!++;
      const x = stream.normal();
      sum += x;
      squares += x * x;
    }
    const chiSquare = cells.reduce((total, count) => total + (count - n / 100) ** 2 / (n / 100), 0);
    expect(chiSquare).toBeLessThan(149); // 0.1 % point of 99 degrees of freedom
    expect(Math.abs(sum / n)).toBeLessThan(3 / Math.sqrt(n));
    expect(Math.abs(squares / n - 1)).toBeLessThan(3 * Math.sqrt(2 / n));
  });

  it('permute without loss', () => {
    const order = RandomStream.of(1, 'permute').permutation(1000);
    expect(Array.from(order).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });
});
