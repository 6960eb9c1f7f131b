/**
 * k-means by Lloyd's algorithm with k-means++ seeding, in double precision and a fixed order of summation: the same vectors and
 * stream give the same centres. Corpora beyond a sample's size are sampled by the caller. A vector may have a weight, which counts in
 * the means and in seeding; without weights each counts once.
 */
import { internal } from '../errors.js';
import type { RandomStream } from '../engine/random.js';
import { DistanceBounds } from './bounds.js';
import { assign, squaredDistance } from './nearest.js';
import { within } from './product.js';
import type { Distance } from './direction.js';

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
  weights?: Float64Array,
  distance: Distance = 'euclidean',
): Clusters {
  if (vectors.length === 0) internal('k-means of no vectors');
  const first = seed(vectors, width, codes, stream, weights);
  const { centres, nearest } = lloyd(vectors, width, first, iterations, weights, distance);
  return { centres, nearest };
}

/**
 * Lloyd's iterations from these centres, which are changed in place; ends early when no vector changes its centre. The nearest centres
 * after the last move are found when they are asked for. `hints`: of the centres as they are at the start.
 */
function lloyd(
  vectors: Float32Array,
  width: number,
  centres: Float32Array,
  iterations: number,
  weights?: Float64Array,
  distance: Distance = 'euclidean',
  hints?: Hints,
): Clusters {
  const bounds = hints?.distances && new DistanceBounds(hints.distances, vectors, centres, width);
  let nearest = assign(vectors, centres, width, distance, hints?.codes, bounds).nearest;
  const reassign = () => assign(vectors, centres, width, distance, nearest, bounds).nearest;
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const from = bounds && centres.slice();
    moveToMeans(vectors, width, centres, nearest, weights);
    if (from) bounds.move(from, centres);
    if (iteration === iterations) {
      return {
        centres,
        get nearest() {
          return reassign();
        },
      };
    }
    const before = nearest;
    nearest = reassign();
    if (nearest.every((code, i) => code === before[i])) break;
  }
  return { centres, nearest };
}

/** Each further centre is a vector drawn in proportion to its squared distance from the centres so far (Arthur and Vassilvitskii 2007). */
function seed(
  vectors: Float32Array,
  width: number,
  codes: number,
  stream: RandomStream,
  weights?: Float64Array,
): Float32Array {
  const count = vectors.length / width;
  const centres = new Float32Array(codes * width);
  const distances = new Float64Array(count).fill(Infinity);
  let chosen = stream.below(count);
  for (let code = 0; code < codes; code++) {
    centres.set(vectors.subarray(chosen * width, (chosen + 1) * width), code * width);
    let total = 0;
    for (let i = 0; i < count; i++) {
      distances[i] = Math.min(distances[i]!, squaredDistance(vectors, i, centres, code, width));
      total += distances[i]! * (weights?.[i] ?? 1);
    }
    let draw = stream.uniform() * total;
    chosen = total > 0 ? count - 1 : stream.below(count); // all vectors are centres: any will do
    for (let i = 0; total > 0 && i < count; i++) {
      draw -= distances[i]! * (weights?.[i] ?? 1);
      if (draw < 0) {
        chosen = i;
        break;
      }
    }
  }
  return centres;
}

/** Moves each centre to the mean of its vectors; a centre without any goes to the vector that is farthest from its own centre. */
function moveToMeans(
  vectors: Float32Array,
  width: number,
  centres: Float32Array,
  nearest: Int32Array,
  weights?: Float64Array,
): void {
  const codes = centres.length / width;
  const sums = new Float64Array(codes * width);
  const counts = new Float64Array(codes);
  nearest.forEach((code, i) => {
    const weight = weights?.[i] ?? 1;
    counts[code]! += weight;
    for (let j = 0; j < width; j++) sums[code * width + j]! += weight * vectors[i * width + j]!;
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

/** Codes of several levels, and how vectors choose among them. */
export interface ResidualCodes {
  readonly levels: number;
  /** Per level. */
  readonly codes: number;
  readonly distance?: Distance;
  /** The coordinates that each level has for itself (product.ts); all of them, for every level, without. */
  readonly parts?: readonly Float32Array[] | undefined;
}

/** Residual k-means: level l clusters what levels before it have left (tarq.md 2.6). Returns one [code, width] per level. */
export function residualKmeans(
  vectors: Float32Array,
  width: number,
  { levels, codes, iterations, distance, parts }: ResidualCodes & { readonly iterations: number },
  stream: RandomStream,
  weights?: Float64Array,
): Float32Array[] {
  return overResiduals(
    vectors,
    width,
    levels,
    (residuals) => kmeans(residuals, width, codes, iterations, stream, weights, distance),
    parts,
  );
}

/** What is known of vectors and centres before a refit. It changes nothing but the time. */
export interface Hints {
  /** Codes that the vectors are likely to have, [vector, level]. */
  readonly codes: Int32Array;
  /** Squared distances from the centres of a single level, [vector, code], as the engine computes them. */
  readonly distances?: Float32Array;
}

/** The same from the centres that are there: vectors have moved a little, and codes keep their numbers. */
export function refitResidualKmeans(
  vectors: Float32Array,
  width: number,
  centres: readonly Float32Array[],
  iterations: number,
  hints: Hints,
  weights?: Float64Array,
): Float32Array[] {
  const levels = centres.length;
  return overResiduals(vectors, width, levels, (residuals, level) => {
    const codes = new Int32Array(hints.codes.length / levels).map((_, i) => hints.codes[i * levels + level]!);
    return lloyd(residuals, width, centres[level]!.slice(), iterations, weights, 'euclidean', {
      ...hints,
      codes,
    });
  });
}

/** Codes level by level, each made from what the levels before have left of the vectors. */
export function overResiduals(
  vectors: Float32Array,
  width: number,
  levels: number,
  cluster: (residuals: Float32Array, level: number) => Clusters,
  parts?: ResidualCodes['parts'],
): Float32Array[] {
  const residuals = vectors.slice();
  return Array.from({ length: levels }, (_, level) => {
    const clusters = cluster(within(parts?.[level], residuals), level);
    const { centres } = clusters;
    if (level === levels - 1) return centres; // nobody asks for what it leaves
    clusters.nearest.forEach((code, i) => {
      for (let j = 0; j < width; j++) residuals[i * width + j]! -= centres[code * width + j]!;
    });
    return centres;
  });
}
