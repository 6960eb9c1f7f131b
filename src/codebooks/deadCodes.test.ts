import { describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { restartDeadCodes } from './deadCodes.js';
import { kmeans } from './kmeans.js';
import { assign } from './nearest.js';

const stream = (name: string) => RandomStream.of(1, name);
const usedCodes = (codes: Int32Array) => new Set(codes).size;

describe('restart of dead codes', () => {
  const points = stream('points').normals(400 * 3);
  /** Five codes among the points, the others where no point is. */
  const collapsed = () =>
    Float32Array.from(stream('codes').normals(16 * 3), (x, i) => (i < 15 ? x : 100 + x));

  it('brings every code into use, and leaves the codes in use where they are', () => {
    const codebook = collapsed();
    const before = codebook.slice();
    expect(usedCodes(assign(points, codebook, 3).nearest)).toBe(5);
    const [restarted] = restartDeadCodes(points, 3, [codebook], 0.1, stream('restart'));
    expect(restarted).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect(codebook.subarray(0, 15)).toEqual(before.subarray(0, 15));
    expect(usedCodes(assign(points, codebook, 3).nearest)).toBe(16);
    // Each stands on a vector of its own.
    const { nearest: vectors, distances } = assign(codebook.subarray(15), points, 3);
    expect(distances.every((distance) => distance === 0)).toBe(true);
    expect(usedCodes(vectors)).toBe(11);
  });

  it('asks for a share of the even share: codes with fewer items are dead, others are not', () => {
    // Ten vectors on four codes: 6, 2, 1, 1; the even share is 2.5.
    const vectors = Float32Array.of(0, 0, 0, 0, 0.1, 0, 10, 10.1, 20.1, 30);
    const book = () => Float32Array.of(0, 10, 20, 30);
    const restarted = (below: number) => restartDeadCodes(vectors, 1, [book()], below, stream('share'))[0];
    expect(restarted(0.39)).toEqual([]);
    expect(restarted(0.41)).toEqual([2, 3]);
    expect(restarted(0.81)).toEqual([1, 2, 3]);
  });

  it('looks at each level on what the restarted levels before leave', () => {
    const first = collapsed();
    const second = Float32Array.from({ length: 8 * 3 }, (_, i) => (i < 3 ? 0 : 50));
    const [, restarted] = restartDeadCodes(points, 3, [first, second], 0.1, stream('levels'));
    expect(restarted).toEqual([1, 2, 3, 4, 5, 6, 7]);
    const { nearest } = assign(points, first, 3);
    const left = points.map((value, i) => value - first[nearest[Math.floor(i / 3)]! * 3 + (i % 3)]!);
    expect(assign(second.subarray(3), left, 3).distances.every((distance) => distance === 0)).toBe(true);
  });

  it('with 4,096 codes and few items gives each item a code and then rests', () => {
    const few = stream('few').normals(50 * 4);
    const { centres } = kmeans(few, 4, 4096, 3, stream('k'));
    expect(Math.max(...assign(few, centres, 4).distances)).toBe(0);
    expect(restartDeadCodes(few, 4, [centres], 0.5, stream('none'))).toEqual([[]]);

    const codebook = stream('far')
      .normals(4096 * 4)
      .map((value) => 100 + value);
    const [restarted] = restartDeadCodes(few, 4, [codebook], 0.5, stream('r'));
    expect(restarted!.length).toBe(50);
    expect(Math.max(...assign(few, codebook, 4).distances)).toBe(0);
    expect(restartDeadCodes(few, 4, [codebook], 0.5, stream('r'))).toEqual([[]]);
  });

  it('draws the same places for the same stream', () => {
    const [a, b] = [collapsed(), collapsed()];
    restartDeadCodes(points, 3, [a], 0.1, stream('same'));
    restartDeadCodes(points, 3, [b], 0.1, stream('same'));
    expect(a).toEqual(b);
  });
});
