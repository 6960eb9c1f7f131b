/**
 * k-means by Lloyd's algorithm with k-means++ seeding, in double precision and a fixed order of summation: the same vectors and
 * stream give the same centres. Corpora beyond a sample's size are sampled by the caller. A vector may have a weight, which counts in
 * the means and in seeding; without weights each counts once.
 */
import { internal } from '../errors.js';
import type { RandomStream } from '../engine/random.js';
import { within } from './product.js';
import { unitRows, type Distance } from './direction.js';

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
 * after the last move are found when they are asked for. `guesses`: see `assign`.
 */
function lloyd(
  vectors: Float32Array,
  width: number,
  centres: Float32Array,
  iterations: number,
  weights?: Float64Array,
  distance: Distance = 'euclidean',
  guesses?: Int32Array,
): Clusters {
  let nearest = assign(vectors, centres, width, distance, guesses).nearest;
  const reassign = () => assign(vectors, centres, width, distance, nearest).nearest;
  for (let iteration = 1; iteration <= iterations; iteration++) {
    moveToMeans(vectors, width, centres, nearest, weights);
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

/**
 * Nearest centre of every vector and its squared distance; ties to the lowest index. By cosine both sides count at unit length, where
 * the squared distance is 2 - 2 cos.
 *
 * `guesses`, such as the nearest centres before they moved, change nothing but the time: by the triangle inequality a centre that is
 * more than twice as far from the guess as the vector is cannot be nearer than the guess.
 */
export function assign(
  vectors: Float32Array,
  centres: Float32Array,
  width: number,
  distance: Distance = 'euclidean',
  guesses?: Int32Array,
): { nearest: Int32Array; distances: Float64Array } {
  if (distance === 'cosine')
    return assign(unitRows(vectors, width), unitRows(centres, width), width, 'euclidean', guesses);
  const count = vectors.length / width;
  const codes = centres.length / width;
  const nearest = new Int32Array(count);
  const distances = new Float64Array(count);
  const between = guesses && distancesBetween(centres, width);
  for (let i = 0; i < count; i++) {
    const guess = guesses?.[i] ?? 0;
    let chosen = guess;
    let best = squaredDistance(vectors, i, centres, guess, width);
    const tooFar = 4 * best * (1 + rounding);
    for (let code = 0; code < codes; code++) {
      if (code === guess || (between && between[guess * codes + code]! > tooFar)) continue;
      if (isFarther(vectors, i, centres, code, width, best)) continue;
      const distance = squaredDistance(vectors, i, centres, code, width);
      if (distance < best || (distance === best && code < chosen)) {
        best = distance;
        chosen = code;
      }
    }
    nearest[i] = chosen;
    distances[i] = best;
  }
  return { nearest, distances };
}

/** Squared distances of centres, [code, code]. */
function distancesBetween(centres: Float32Array, width: number): Float64Array {
  const codes = centres.length / width;
  const between = new Float64Array(codes * codes);
  for (let a = 0; a < codes; a++) {
    for (let b = 0; b < a; b++) {
      const distance = squaredDistance(centres, a, centres, b, width);
      between[a * codes + b] = distance;
      between[b * codes + a] = distance;
    }
  }
  return between;
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

/** |v - x|^2, summed in the order of the coordinates. */
function squaredDistance(
  vectors: Float32Array,
  vector: number,
  centres: Float32Array,
  centre: number,
  width: number,
): number {
  let sum = 0;
  let b = centre * width;
  for (let a = vector * width, end = a + width; a < end; a++, b++) {
    const difference = vectors[a]! - centres[b]!;
    sum += difference * difference;
  }
  return sum;
}

/**
 * Whether |v - x|^2 is above a limit, beyond what rounding may do. Four sums that do not wait for one another take a third of the time
 * of one; most of many centres are rejected by their first coordinates.
 */
function isFarther(
  vectors: Float32Array,
  vector: number,
  centres: Float32Array,
  centre: number,
  width: number,
  limit: number,
): boolean {
  const clear = limit * (1 + rounding);
  let a = vector * width;
  let b = centre * width;
  const end = a + width;
  let sum = 0;
  while (a + 8 <= end) {
    const d0 = vectors[a]! - centres[b]!;
    const d1 = vectors[a + 1]! - centres[b + 1]!;
    const d2 = vectors[a + 2]! - centres[b + 2]!;
    const d3 = vectors[a + 3]! - centres[b + 3]!;
    const d4 = vectors[a + 4]! - centres[b + 4]!;
    const d5 = vectors[a + 5]! - centres[b + 5]!;
    const d6 = vectors[a + 6]! - centres[b + 6]!;
    const d7 = vectors[a + 7]! - centres[b + 7]!;
    sum += d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5 + (d6 * d6 + d7 * d7));
    if (sum > clear) return true;
    a += 8;
    b += 8;
  }
  for (; a < end; a++, b++) {
    const difference = vectors[a]! - centres[b]!;
    sum += difference * difference;
  }
  return sum > clear;
}

/** More than two sums of the same squares may differ by, relatively, when summed in another order. */
const rounding = 1e-9;

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

/**
 * The same from the centres that are there: vectors have moved a little, and codes keep their numbers. `guesses`: codes that the
 * vectors are likely to have, [vector, level].
 */
export function refitResidualKmeans(
  vectors: Float32Array,
  width: number,
  centres: readonly Float32Array[],
  iterations: number,
  guesses: Int32Array,
  weights?: Float64Array,
): Float32Array[] {
  const levels = centres.length;
  return overResiduals(vectors, width, levels, (residuals, level) => {
    const likely = Int32Array.from(
      { length: guesses.length / levels },
      (_, i) => guesses[i * levels + level]!,
    );
    return lloyd(residuals, width, centres[level]!.slice(), iterations, weights, 'euclidean', likely);
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
