import { tf } from '../engine/tf.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { nearestDirection } from './direction.js';
import { residualKmeans } from './kmeans.js';
import { assign } from './nearest.js';
import { quantise } from './residual.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('codes chosen by direction', () => {
  it('have the largest cosine, whatever their length; ties go to the lowest index', () => {
    const codebook = tf.tensor2d([0.01, 0, 0, 5, 0, 1, -3, -3], [4, 2]);
    const vectors = tf.tensor2d([7, 1, 0.1, 0.2, -1, -2], [3, 2]);
    expect(Array.from(nearestDirection(vectors, codebook).dataSync())).toEqual([0, 1, 3]);
    const book = Float32Array.from(codebook.dataSync());
    const { nearest } = assign(Float32Array.from(vectors.dataSync()), book, 2, 'cosine');
    expect(Array.from(nearest)).toEqual([0, 1, 3]);
  });

  it('are the same in the graph, in k-means and by a naive loop, and do not see the scale of the vectors', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const stream = RandomStream.of(seed, 'direction');
        const vectors = stream.normals(6 * 4);
        const book = stream.normals(5 * 4).map((value, i) => value * (1 + Math.floor(i / 4)));
        const codes = (scale: number) =>
          Array.from(
            nearestDirection(
              tf.tensor2d(
                vectors.map((value) => scale * value),
                [6, 4],
              ),
              tf.tensor2d(book, [5, 4]),
            ).dataSync(),
          );
        const cosine = (v: number, k: number) => {
          const [a, b] = [vectors.subarray(v * 4, v * 4 + 4), book.subarray(k * 4, k * 4 + 4)];
          return a.reduce((sum, value, i) => sum + value * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b);
        };
        const naive = Array.from({ length: 6 }, (_, v) => {
          const cosines = Array.from({ length: 5 }, (_, k) => cosine(v, k));
          return cosines.indexOf(Math.max(...cosines));
        });
        expect(codes(1)).toEqual(naive);
        expect(codes(100)).toEqual(naive);
        expect(Array.from(assign(vectors, book, 4, 'cosine').nearest)).toEqual(naive);
      }),
      { numRuns: 30 },
    );
  });

  it('T5: the mean error falls with each level on the vectors that k-means has seen', () => {
    const points = RandomStream.of(3, 'points').normals(800 * 4);
    const sizes = { levels: 3, codes: 16, iterations: 15 };
    const books = residualKmeans(points, 4, { ...sizes, distance: 'cosine' }, RandomStream.of(4, 'kmeans'));
    const tensors = books.map((book) => tf.tensor2d(book, [16, 4]));
    const { residuals } = quantise(tf.tensor2d(points, [800, 4]), tensors, nearestDirection);
    const errors = residuals.map((residual) => tf.mean(tf.sum(tf.square(residual), 1)).dataSync()[0]!);
    errors.slice(1).forEach((error, level) => expect(error).toBeLessThan(0.85 * errors[level]!));
  });
});
