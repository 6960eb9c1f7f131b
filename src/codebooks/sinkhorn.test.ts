import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../engine/compile.js';
import { RandomStream } from '../engine/random.js';
import { nearest, squaredDistances } from './residual.js';
import { balanced } from './sinkhorn.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const options = { epsilon: 0.01, iterations: 100 };
const choose = balanced(squaredDistances, options);
const counts = (codes: ArrayLike<number>, size: number) => {
  const count = new Array<number>(size).fill(0);
  for (const code of Array.from(codes)) count[code]!++;
  return count;
};

/** 96 vectors in one heap, and eight codes of which one stands in it. */
const heap = tf.tensor2d(RandomStream.of(1, 'heap').normals(96 * 3, 0.5), [96, 3]);
const far = tf.tensor2d(
  RandomStream.of(2, 'codes')
    .normals(8 * 3)
    .map((value, i) => (i < 3 ? 0.1 * value : 3 + value)),
  [8, 3],
);

describe('balanced assignment', () => {
  it('gives codes that nearest leaves empty about as many vectors as any other', () => {
    expect(Math.max(...counts(nearest(heap, far).dataSync(), 8))).toBeGreaterThan(80);
    const balancedCounts = counts(choose(heap, far).dataSync(), 8);
    expect(Math.min(...balancedCounts)).toBeGreaterThanOrEqual(6);
    expect(Math.max(...balancedCounts)).toBeLessThanOrEqual(18);
  });

  it('is the cheapest of the balanced assignments: golden, two codes on a line', () => {
    // By distance alone 1, 2 and 3 would go to the code at 0; in balance the two nearest to it stay.
    const vectors = tf.tensor2d([3, 1, 2, 9], [4, 1]);
    const codes = tf.tensor2d([0, 10], [2, 1]);
    expect(Array.from(nearest(vectors, codes).dataSync())).toEqual([0, 0, 0, 1]);
    expect(Array.from(choose(vectors, codes).dataSync())).toEqual([1, 0, 0, 1]);
  });

  it('is the nearest code where that is balanced already, and any code where all are alike', () => {
    const codes = tf.tensor2d([0, 0, 5, 5, -5, 5], [3, 2]);
    const vectors = tf.tensor2d([0.1, 0, 5, 4.8, -5, 5.3, 0, 0.2, 5.1, 5, -4.9, 5], [6, 2]);
    expect(Array.from(choose(vectors, codes).dataSync())).toEqual([0, 1, 2, 0, 1, 2]);
    const alike = choose(tf.zeros([4, 2]), tf.ones([3, 2])).dataSync();
    expect(Array.from(alike).every((code) => code >= 0 && code < 3)).toBe(true);
  });

  it('is the same in a compiled graph, where exp(1/eps) overflows', async () => {
    const sharp = balanced(squaredDistances, { epsilon: 0.003, iterations: 100 });
    const specs = {
      vectors: { shape: [96, 3], dtype: 'float32' as const },
      codes: { shape: [8, 3], dtype: 'float32' as const },
    };
    const graph = await compile(
      'sinkhorn',
      specs,
      ({ vectors, codes }) => ({ chosen: sharp(vectors as tf.Tensor2D, codes as tf.Tensor2D) }),
      { provider: 'cpu', threads: 1 },
    );
    const feeds = {
      vectors: Float32Array.from(heap.dataSync()),
      codes: Float32Array.from(far.dataSync()),
    };
    const { chosen } = await graph.run(feeds);
    await graph.release();
    const eager = sharp(heap, far).dataSync();
    const differing = Array.from(chosen!).filter((code, i) => code !== eager[i]).length;
    expect(differing).toBeLessThanOrEqual(2); // float32: a vector between two codes may fall to either
  });
});
