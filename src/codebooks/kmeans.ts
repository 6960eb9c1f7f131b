/**
 * k-means by Lloyd's algorithm with k-means++ seeding, in double precision and a fixed order of summation: the same vectors and
 * stream give the same centres. For the start of a codebook; corpora beyond a sample's size are sampled by the caller.
 */
import { internal } from '../errors.js';
import type { RandomStream } from '../engine/random.js';

export interface Clusters {
  /** [code, width] */
  readonly centres: Float32Array;
  /** [vector] index of the nearest centre, ties to the lowest */
  readonly nearest: Int32Array;
}

/** Clusters `vectors`, [vector, width]. Needs at least one vector; with fewer vectors than codes, codes repeat vectors. */
export function kmeans(
  vectors: Float32Array,
  width: number,
  codes: number,
  iterations: number,
  stream: RandomStream,
): Clusters {
  const count = vectors.length / width;
  if (count === 0) internal('k-means of no vectors');
  const centres = seed(vectors, width, codes, stream);
  let nearest = assign(vectors, centres, width).nearest;
  for (let iteration = 0; iteration < iterations; iteration++) {
    moveToMeans(vectors, width, centres, nearest);
    const next = assign(vectors, centres, width);
    const moved = next.nearest.some((code, i) => code !== nearest[i]);
    nearest = next.nearest;
    if (!moved) break;
  }
  return { centres, nearest };
}

/** Each further centre is a vector drawn in proportion to its squared distance from the centres so far (Arthur and Vassilvitskii 2007). */
function seed(vectors: Float32Array, width: number, codes: number, stream: RandomStream): Float32Array {
  const count = vectors.length / width;
  const centres = new Float32Array(codes * width);
  const distances = new Float64Array(count).fill(Infinity);
  let chosen = stream.below(count);
  for (let code = 0; code < codes; code++) {
    centres.set(vectors.subarray(chosen * width, (chosen + 1) * width), code * width);
    let total = 0;
    for (let i = 0; i < count; i++) {
      distances[i] = Math.min(distances[i]!, squaredDistance(vectors, i, centres, code, width));
      total += distances[i]!;
    }
    let draw = stream.uniform() * total;
    chosen = total > 0 ? count - 1 : stream.below(count); // all vectors are centres: any will do
    for (let i = 0; total > 0 && i < count; i++) {
      draw -= distances[i]!;
      if (draw < 0) {
        chosen = i;
        break;
      }
    }
  }
  return centres;
}

/** Nearest centre of every vector and its squared distance; ties to the lowest index. */
export function assign(
  vectors: Float32Array,
  centres: Float32Array,
  width: number,
): { nearest: Int32Array; distances: Float64Array } {
  const count = vectors.length / width;
  const codes = centres.length / width;
  const nearest = new Int32Array(count);
  const distances = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let best = Infinity;
    for (let code = 0; code < codes; code++) {
      const distance = squaredDistance(vectors, i, centres, code, width);
      if (distance < best) {
        best = distance;
        nearest[i] = code;
      }
    }
    distances[i] = best;
  }
  return { nearest, distances };
}

/** Moves each centre to the mean of its vectors; a centre without any goes to the vector that is farthest from its own centre. */
function moveToMeans(vectors: Float32Array, width: number, centres: Float32Array, nearest: Int32Array): void {
  const codes = centres.length / width;
  const sums = new Float64Array(codes * width);
  const counts = new Int32Array(codes);
  nearest.forEach((code, i) => {
    counts[code]!++;
    for (let j = 0; j < width; j++) sums[code * width + j]! += vectors[i * width + j]!;
  });
  const farthest = counts.includes(0) ? byDistance(vectors, centres, nearest, width) : [];
  for (let code = 0; code < codes; code++) {
    const vector = counts[code] === 0 ? farthest.pop() : undefined;
    for (let j = 0; j < width; j++) {
      if (counts[code]! > 0) centres[code * width + j] = sums[code * width + j]! / counts[code]!;
      else if (vector !== undefined) centres[code * width + j] = vectors[vector * width + j]!;
    }
  }
}

/** Vectors in ascending order of the distance from their centre. */
function byDistance(
  vectors: Float32Array,
  centres: Float32Array,
  nearest: Int32Array,
  width: number,
): number[] {
  const distances = Array.from(nearest, (code, i) => squaredDistance(vectors, i, centres, code, width));
  return Array.from(nearest.keys()).sort((a, b) => distances[a]! - distances[b]! || a - b);
}

function squaredDistance(
  vectors: Float32Array,
  vector: number,
  centres: Float32Array,
  centre: number,
  width: number,
): number {
  let sum = 0;
  for (let j = 0, a = vector * width, b = centre * width; j < width; j++, a++, b++) {
    const difference = vectors[a]! - centres[b]!;
    sum += difference * difference;
  }
  return sum;
}

/** Residual k-means: level l clusters what levels before it have left (tarq.md 2.6). Returns one [code, width] per level. */
export function residualKmeans(
  vectors: Float32Array,
  width: number,
  { levels, codes, iterations }: { levels: number; codes: number; iterations: number },
  stream: RandomStream,
): Float32Array[] {
  const residuals = vectors.slice();
  return Array.from({ length: levels }, () => {
    const { centres, nearest } = kmeans(residuals, width, codes, iterations, stream);
    nearest.forEach((code, i) => {
      for (let j = 0; j < width; j++) residuals[i * width + j]! -= centres[code * width + j]!;
    });
    return centres;
  });
}
