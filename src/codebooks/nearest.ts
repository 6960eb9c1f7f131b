/**
 * Nearest centres in double precision: what k-means does nearly all of its time. Most centres are rejected by bounds and by sums that
 * need not wait for one another; the exact sum, in the order of the coordinates, decides among the others, so that no result depends
 * on how they were rejected.
 */
import type { DistanceBounds } from './bounds.js';
import { unitRows, type Distance } from './direction.js';

/**
 * Nearest centre of every vector and its squared distance; ties to the lowest index. By cosine both sides count at unit length, where
 * the squared distance is 2 - 2 cos.
 *
 * `guesses`, such as the nearest centres before they moved, change nothing but the time: by the triangle inequality a centre that is
 * more than twice as far from the guess as the vector is cannot be nearer than the guess. Nor can one that `bounds` put beyond it.
 */
export function assign(
  vectors: Float32Array,
  centres: Float32Array,
  width: number,
  distance: Distance = 'euclidean',
  guesses?: Int32Array,
  bounds?: DistanceBounds,
): { nearest: Int32Array; distances: Float64Array } {
  if (distance === 'cosine')
    return assign(unitRows(vectors, width), unitRows(centres, width), width, 'euclidean', guesses);
  const count = vectors.length / width;
  const codes = centres.length / width;
  const nearest = new Int32Array(count);
  const distances = new Float64Array(count);
  const between = guesses && !bounds && distancesBetween(centres, width);
  for (let i = 0; i < count; i++) {
    const guess = guesses?.[i] ?? 0;
    let chosen = guess;
    let best = squaredDistance(vectors, i, centres, guess, width);
    const tooFar = 4 * best * (1 + rounding);
    const reach = Math.sqrt(best);
    const next = (code: number) => (bounds ? bounds.next(i, code, reach) : code);
    for (let code = next(0); code < codes; code = next(code + 1)) {
      if (code === guess) continue;
      if (between && between[guess * codes + code]! > tooFar) continue;
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

/** |v - x|^2, summed in the order of the coordinates. */
export function squaredDistance(
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
