import { tf } from '../engine/tf.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { DistanceBounds } from './bounds.js';
import { codebookFaults, codebookHealth, codeUsage } from './health.js';
import { kmeans, refitResidualKmeans, residualKmeans } from './kmeans.js';
import { assign } from './nearest.js';
import { randomCodes } from './randomCodes.js';
import { nearest, quantise, squaredDistances } from './residual.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const squaredLength = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value * value, 0);

describe('residual quantisation', () => {
  const codebooks = [tf.tensor2d([2, 0, 0, 2, -2, -2], [3, 2]), tf.tensor2d([0.5, 0, 0, 0.5, 0, 0], [3, 2])];

  it.each([
    [
      [2.4, 0.1],
      [0, 0],
      [
        [0.4, 0.1],
        [-0.1, 0.1],
      ],
      [0.17, 0.02],
    ],
    [
      [0.2, 2.7],
      [1, 1],
      [
        [0.2, 0.7],
        [0.2, 0.2],
      ],
      [0.53, 0.08],
    ],
    [
      [-1.9, -2.2],
      [2, 2],
      [
        [0.1, -0.2],
        [0.1, -0.2],
      ],
      [0.05, 0.05],
    ],
  ])('has the golden codes and residuals of %o (tarq.md 2.8)', (z, codes, residuals, errors) => {
    const quantised = quantise(tf.tensor2d(z, [1, 2]), codebooks);
    expect(quantised.codes.map((code) => code.dataSync()[0])).toEqual(codes);
    quantised.residuals.slice(1).forEach((residual, level) => {
      const values = residual.dataSync();
      residuals[level]!.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
      expect(squaredLength(values)).toBeCloseTo(errors[level]!, 5);
    });
  });

  it('T6: finds the code that a naive loop finds, ties to the lowest index, sums plus residual give z', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const stream = RandomStream.of(seed, 'property');
        const z = stream.normals(12);
        const books = [stream.normals(15), stream.normals(15, 0.3)];
        const quantised = quantise(
          tf.tensor2d(z, [4, 3]),
          books.map((book) => tf.tensor2d(book, [5, 3])),
        );
        let left = z.slice();
        books.forEach((book, level) => {
          const { nearest: naive } = assign(left, book, 3);
          expect(Array.from(quantised.codes[level]!.dataSync())).toEqual(Array.from(naive));
          left = left.map((value, i) => value - book[naive[Math.floor(i / 3)]! * 3 + (i % 3)]!);
        });
        const again = tf.add(quantised.partialSums.at(-1)!, quantised.residuals.at(-1)!).dataSync();
        again.forEach((value, i) => expect(value).toBeCloseTo(z[i]!, 5));
      }),
      { numRuns: 30 },
    );
    const same = tf.tensor2d([1, 1, 1, 1, 0, 0], [3, 2]);
    expect(nearest(tf.tensor2d([1, 1], [1, 2]), same).dataSync()[0]).toBe(0);
  });

  it('T6: encodes the sum of well separated codes to the same tuple', () => {
    const books = [
      tf.tensor2d([10, 0, -10, 0, 0, 10], [3, 2]),
      tf.tensor2d([1, 0, -1, 0, 0, 1], [3, 2]),
      tf.tensor2d([0.1, 0, -0.1, 0, 0, 0.1], [3, 2]),
    ];
    for (const tuple of [
      [0, 1, 2],
      [2, 2, 0],
      [1, 0, 1],
    ]) {
      const z = tuple
        .map((code, level) => tf.slice(books[level]!, [code, 0], [1, 2]))
        .reduce((sum, x) => tf.add(sum, x));
      expect(quantise(z, books).codes.map((code) => code.dataSync()[0])).toEqual(tuple);
    }
  });
});

describe('k-means', () => {
  it('T5, golden: the mean squared error of four levels of 32 codes on 2,000 normal points falls as numpy found', () => {
    const points = RandomStream.of(1, 'points').normals(2000 * 8);
    const books = residualKmeans(
      points,
      8,
      { levels: 4, codes: 32, iterations: 20 },
      RandomStream.of(2, 'kmeans'),
    );
    const errors = [squaredLength(points) / 2000];
    let left = points;
    let risen = 0;
    for (const book of books) {
      const before = left;
      const { nearest: codes } = assign(left, book, 8);
      left = left.map((value, i) => value - book[codes[i >> 3]! * 8 + (i & 7)]!);
      errors.push(squaredLength(left) / 2000);
      if (errors.length > 2) {
        for (let i = 0; i < 2000; i++) {
          if (
            squaredLength(left.subarray(i * 8, i * 8 + 8)) > squaredLength(before.subarray(i * 8, i * 8 + 8))
          )
            risen++;
        }
      }
    }
    [7.93, 3.81, 1.83, 0.89, 0.43].forEach((golden, level) => {
      expect(Math.abs(errors[level]! - golden) / golden, `level ${level}`).toBeLessThan(0.06);
    });
    expect(risen / (3 * 2000)).toBeGreaterThan(0.003); // single points may get worse: tarq.md T5
    expect(risen / (3 * 2000)).toBeLessThan(0.05);
  });

  it('T5: with a zero code no single point gets worse', () => {
    const points = RandomStream.of(3, 'points').normals(500 * 4);
    const [book] = residualKmeans(
      points,
      4,
      { levels: 1, codes: 15, iterations: 10 },
      RandomStream.of(4, 'kmeans'),
    );
    const withZero = Float32Array.from([...book!, 0, 0, 0, 0]);
    const { distances } = assign(points, withZero, 4);
    distances.forEach((distance, i) =>
      expect(distance).toBeLessThanOrEqual(squaredLength(points.subarray(i * 4, i * 4 + 4)) + 1e-9),
    );
  });

  it('finds separated clusters, repeats for the same stream, and copes with fewer vectors than codes', () => {
    const stream = RandomStream.of(5, 'clusters');
    const points = Float32Array.from(
      { length: 300 * 2 },
      (_, i) => 20 * ((i >> 1) % 3) * (i & 1 ? 1 : -1) + stream.normal(),
    );
    const clusters = kmeans(points, 2, 3, 10, RandomStream.of(6, 'k'));
    const byFirst = [0, 1, 2].map((i) => clusters.nearest[i]);
    expect(new Set(byFirst).size).toBe(3);
    expect(clusters.nearest.every((code, i) => code === byFirst[i % 3])).toBe(true);
    expect(kmeans(points, 2, 3, 10, RandomStream.of(6, 'k'))).toEqual(clusters);

    const few = kmeans(Float32Array.of(1, 1, 5, 5), 2, 8, 5, RandomStream.of(7, 'k'));
    expect(few.centres).toHaveLength(16);
    expect(assign(Float32Array.of(1, 1, 5, 5), few.centres, 2).distances).toEqual(new Float64Array(2));
  });

  it('chooses as a loop over all distances does, ties to the lowest index, whatever is guessed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.constantFrom(3, 8, 21), (seed, width) => {
        const stream = RandomStream.of(seed, 'assign');
        const codes = 12;
        const centres = stream.normals(codes * width, 1);
        centres.copyWithin(5 * width, 2 * width, 3 * width); // code 5 is code 2 again
        const vectors = stream.normals(40 * width, 1);
        vectors.set(centres.subarray(2 * width, 3 * width)); // and vector 0 is, too
        const guesses = Int32Array.from({ length: 40 }, () => stream.below(codes));
        guesses[0] = 5;
        const distanceTo = (vector: number, code: number) => {
          let sum = 0;
          for (let j = 0; j < width; j++)
            sum += (vectors[vector * width + j]! - centres[code * width + j]!) ** 2;
          return sum;
        };
        const distances = Array.from({ length: 40 }, (_, i) =>
          Array.from({ length: codes }, (_, code) => distanceTo(i, code)),
        );
        const expected = {
          nearest: Int32Array.from(distances, (row) => row.indexOf(Math.min(...row))),
          distances: Float64Array.from(distances, (row) => Math.min(...row)),
        };
        expect(assign(vectors, centres, width)).toEqual(expected);
        expect(assign(vectors, centres, width, 'euclidean', guesses)).toEqual(expected);
      }),
    );
  });

  it('refits to the means of what chooses each code, level by level, whatever is guessed', () => {
    const [width, count] = [4, 60];
    const vectors = RandomStream.of(9, 'refit').normals(count * width, 1);
    const books = residualKmeans(
      vectors.map((value) => value + 0.1),
      width,
      { levels: 2, codes: 5, iterations: 5 },
      RandomStream.of(10, 'kmeans'),
    );
    const residuals = vectors.slice();
    const expected = books.map((book) => {
      const centres = book.slice();
      for (let iteration = 0; iteration < 2; iteration++) {
        const { nearest } = assign(residuals, centres, width);
        for (let code = 0; code < 5; code++) {
          const own = Array.from(nearest.keys()).filter((i) => nearest[i] === code);
          for (let j = 0; j < width; j++)
            centres[code * width + j] =
              own.reduce((sum, i) => sum + residuals[i * width + j]!, 0) / own.length;
        }
      }
      const { nearest } = assign(residuals, centres, width);
      residuals.forEach((value, i) => {
        residuals[i] = value - centres[nearest[Math.floor(i / width)]! * width + (i % width)]!;
      });
      return centres;
    });
    for (const guess of [0, 4]) {
      const codes = new Int32Array(count * 2).fill(guess);
      expect(refitResidualKmeans(vectors, width, books, 2, { codes })).toEqual(expected);
    }
  });

  it('refits alike with the distances that the engine tells, in single precision', () => {
    const [width, count, codes] = [8, 200, 12];
    const stream = RandomStream.of(11, 'refit');
    const vectors = stream.normals(count * width, 1);
    const start = stream.normals(codes * width, 1);
    const hints = { codes: new Int32Array(count) };
    const distances = tf.tidy(() =>
      squaredDistances(tf.tensor2d(vectors, [count, width]), tf.tensor2d(start, [codes, width])).dataSync(),
    ) as Float32Array;
    const plain = refitResidualKmeans(vectors, width, [start], 4, hints);
    expect(refitResidualKmeans(vectors, width, [start], 4, { ...hints, distances })).toEqual(plain);
    expect(plain[0]).not.toEqual(start);

    // The bounds do reject, and reject nothing that is near, where centres have gone too.
    const bounds = new DistanceBounds(distances, vectors, start, width);
    const moved = start.map((value, i) => value + 0.1 * Math.sin(i));
    bounds.move(start, moved);
    const { distances: nearest } = assign(vectors, moved, width);
    let beyond = 0;
    for (let i = 0; i < count; i++) {
      const reach = Math.sqrt(nearest[i]!);
      let within = bounds.next(i, 0, reach);
      for (let code = 0; code < codes; code++) {
        if (code === within) {
          within = bounds.next(i, code + 1, reach);
          continue;
        }
        beyond++;
        const difference = Array.from(
          { length: width },
          (_, j) => vectors[i * width + j]! - moved[code * width + j]!,
        );
        expect(squaredLength(difference)).toBeGreaterThan(nearest[i]!);
      }
    }
    expect(beyond).toBeGreaterThan(0.7 * count * codes);
  });

  it('gives every code a vector when one would stay empty', () => {
    const points = Float32Array.from(
      [...Array.from({ length: 50 }, () => [0, 0]), [9, 0], [0, 9], [9, 9]].flat(),
    );
    const { nearest: codes } = kmeans(points, 2, 4, 10, RandomStream.of(8, 'k'));
    expect(new Set(codes).size).toBe(4);
  });
});

describe('random codes', () => {
  const points = Float32Array.from(RandomStream.of(9, 'points').normals(3000 * 2), (value, i) =>
    i % 2 === 0 ? 5 + value : 0.1 * value,
  );
  const sizes = { levels: 2, codes: 200 };
  const books = randomCodes(points, 2, sizes, RandomStream.of(10, 'random'));
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = (values: Float32Array) => {
    const centre = mean(values);
    return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
  };
  const coordinate = (book: Float32Array, at: number) => book.filter((_, i) => i % 2 === at);

  it('have the mean and spread, per coordinate, of what the levels before leave', () => {
    const [first, second] = books;
    expect(mean(coordinate(first!, 0))).toBeCloseTo(5, 0);
    expect(spread(coordinate(first!, 0))).toBeCloseTo(1, 0);
    expect(spread(coordinate(first!, 1)) / 0.1).toBeCloseTo(1, 0);
    const { nearest: codes } = assign(points, first!, 2);
    const left = points.map((value, i) => value - first![codes[i >> 1]! * 2 + (i & 1)]!);
    for (const at of [0, 1]) {
      const ratio = spread(coordinate(second!, at)) / spread(coordinate(left, at));
      expect(Math.abs(Math.log(ratio)), `coordinate ${at}`).toBeLessThan(0.25);
    }
  });

  it('repeat for the same stream and are no vectors of the data', () => {
    expect(randomCodes(points, 2, sizes, RandomStream.of(10, 'random'))).toEqual(books);
    const { distances } = assign(books[0]!, points, 2);
    expect(distances.every((distance) => distance > 0)).toBe(true);
  });

  it('count vectors by their weights', () => {
    const two = Float32Array.of(0, 10);
    const [book] = randomCodes(
      two,
      1,
      { levels: 1, codes: 400 },
      RandomStream.of(11, 'r'),
      Float64Array.of(3, 1),
    );
    expect(Math.abs(mean(book!) - 2.5)).toBeLessThan(0.7);
    expect(Math.abs(spread(book!) - Math.sqrt(18.75))).toBeLessThan(0.6);
  });
});

describe('codebook health', () => {
  it('counts usage, perplexity, collisions and groups', () => {
    // Four items, two levels of three codes: tuples (0,0) (0,1) (0,0) (1,2)
    const health = codebookHealth(Int32Array.of(0, 0, 0, 1, 0, 0, 1, 2), 2, 3, [0.5, 0.2], 2);
    const [first, second] = health.levels;
    expect(first).toMatchObject({ level: 1, usage: 2 / 3, relativeError: 0.25, collisions: 0.5 });
    expect(first!.perplexity).toBeCloseTo(Math.exp(-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25)));
    expect(first!.usageCeiling).toBeCloseTo(1 - (2 / 3) ** 4);
    expect(first!.perplexityCeiling).toBe(3);
    expect(second).toMatchObject({ level: 2, usage: 1, relativeError: 0.1, collisions: 0.25 });
    expect(health).toMatchObject({ items: 4, collisions: 0.25, largestGroup: 2 });
  });

  it('tells the use of codes from the codes alone, as within the health', () => {
    const codes = Int32Array.of(0, 0, 0, 1, 0, 0, 1, 2);
    const { levels } = codebookHealth(codes, 2, 3, [0.5, 0.2], 2);
    const usage = codeUsage(codes, 2, 3);
    usage.forEach((level, i) => expect(levels[i]).toMatchObject(level));
    expect(usage.map(({ perplexity }) => perplexity.toFixed(3))).toEqual(['1.755', '2.828']);
  });

  it('measures unevenness from 0 to near 1', () => {
    const gini = (codes: number[]) => codebookHealth(Int32Array.from(codes), 1, 4, [1], 1).levels[0]!.gini;
    expect(gini([0, 1, 2, 3])).toBeCloseTo(0);
    expect(gini([2, 2, 2, 2])).toBeCloseTo(0.75);
  });

  it('the gate names each fault of a collapsed codebook and passes a healthy one', () => {
    const limits = { minUsage: 0.5, minPerplexityShare: 0.15, maxRelativeError: 0.9 };
    const collapsed = codebookHealth(new Int32Array(400), 1, 16, [1.9], 2);
    expect(codebookFaults(collapsed, limits)).toMatchInlineSnapshot(`
      [
        "Level 1 uses 6 % of its codes (at most 100 % could be); the gate asks for 50 %.",
        "Level 1 has perplexity 1.0; the gate asks for 2.4.",
        "After level 1 the relative error is 0.95; the gate allows 0.9.",
      ]
    `);
    const healthy = codebookHealth(
      Int32Array.from({ length: 400 }, (_, i) => i % 16),
      1,
      16,
      [0.5],
      2,
    );
    expect(codebookFaults(healthy, limits)).toEqual([]);
    expect(codebookFaults(codebookHealth(new Int32Array(4), 1, 2, [0], 0), limits).at(-1)).toContain('NaN');
  });
});
