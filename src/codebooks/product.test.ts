import { tf } from '../engine/tf.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { nearestDirection } from './direction.js';
import { residualKmeans } from './kmeans.js';
import { assign } from './nearest.js';
import { partsOf, within } from './product.js';
import { nearest, quantise } from './residual.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** One part's columns of [row, width]. */
const columns = (rows: Float32Array, part: Float32Array) =>
  rows.filter((_, i) => part[i % part.length] === 1);

describe('product quantisation', () => {
  it('has consecutive parts that share out all coordinates', () => {
    expect(partsOf(3, 7).map((part) => part.join(''))).toEqual(['1100000', '0011000', '0000111']);
    expect(partsOf(1, 2)).toEqual([Float32Array.of(1, 1)]);
  });

  it.each([
    ['euclidean', nearest],
    ['cosine', nearestDirection],
  ] as const)(
    'gives each part the nearest code of its own, as if the others were not there: %s',
    (distance, choose) => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
          const stream = RandomStream.of(seed, 'product');
          const parts = partsOf(3, 7);
          const z = stream.normals(5 * 7);
          const books = parts.map((part) => within(part, stream.normals(6 * 7)));
          const { codes, residuals } = quantise(
            tf.tensor2d(z, [5, 7]),
            books.map((book) => tf.tensor2d(book, [6, 7])),
            choose,
          );
          let error = 0;
          parts.forEach((part, level) => {
            const width = part.filter((value) => value === 1).length;
            const [own, book] = [columns(z, part), columns(books[level]!, part)];
            const alone = assign(own, book, width, distance);
            expect(Array.from(codes[level]!.dataSync())).toEqual(Array.from(alone.nearest));
            alone.nearest.forEach((code, i) => {
              for (let j = 0; j < width; j++) error += (own[i * width + j]! - book[code * width + j]!) ** 2;
            });
          });
          const left = tf.sum(tf.square(residuals.at(-1)!)).dataSync()[0]!;
          expect(left / error).toBeCloseTo(1, 4);
        }),
        { numRuns: 25 },
      );
    },
  );

  it('clusters each part by itself, with codes that are 0 elsewhere', () => {
    const points = RandomStream.of(1, 'points').normals(300 * 4);
    const parts = partsOf(2, 4);
    const books = residualKmeans(
      points,
      4,
      { levels: 2, codes: 8, iterations: 10, parts },
      RandomStream.of(2, 'kmeans'),
    );
    books.forEach((book, level) => expect(within(parts[level], book)).toEqual(book));
    const errors = parts.map((part, level) => {
      const { distances } = assign(columns(points, part), columns(books[level]!, part), 2);
      return distances.reduce((sum, distance) => sum + distance, 0) / 300;
    });
    // Eight codes on a normal plane leave less than .55 of a variance of 2; at random positions they would leave more.
    errors.forEach((error) => expect(error).toBeLessThan(0.55));
  });
});
