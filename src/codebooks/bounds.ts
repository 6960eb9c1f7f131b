/**
 * Lower bounds of the distances of vectors from centres that move: with d the distance from where a centre was and s the way that it
 * has gone since, it is at least d - s away. The first distances come from the engine, in single precision, and are trusted as far
 * as its rounding allows:
 *   |v|^2 + |x|^2 - 2 v.x   is off by at most   ~ (width + 4) u (|v| + |x|)^2,   u = 2^-24
 * Source: Elkan 2003, with one bound per pair and no upper ones.
 */
export class DistanceBounds {
  /** The way that each centre has gone. */
  private readonly shifts: Float64Array; // [code]
  private longestShift = 0;
  private readonly slack: number;

  /** `squared`: distances from these centres, [vector, code]. */
  constructor(
    private readonly squared: Float32Array,
    vectors: Float32Array,
    centres: Float32Array,
    private readonly width: number,
  ) {
    this.shifts = new Float64Array(centres.length / width);
    const size = longest(vectors, width) + longest(centres, width);
    this.slack = 8 * (width + 4) * 2 ** -24 * size;
  }

  /** Notes that the centres have gone from `before` to `after`. */
  move(before: Float32Array, after: Float32Array): void {
    const { width, shifts } = this;
    for (let code = 0; code < shifts.length; code++) {
      let sum = 0;
      for (let at = code * width; at < (code + 1) * width; at++) sum += (after[at]! - before[at]!) ** 2;
      shifts[code]! += Math.sqrt(sum);
    }
    this.longestShift = Math.max(...shifts);
  }

  /**
   * The next centre from `code` on that may be within `reach` of a vector; the number of centres after the last. Nearly all are beyond
   * it however far any centre has gone.
   */
  next(vector: number, code: number, reach: number): number {
    const { squared, shifts } = this;
    const first = vector * shifts.length;
    const end = first + shifts.length;
    const limit = this.farthest(reach + this.longestShift);
    for (let at = first + code; at < end; at++) {
      if (squared[at]! > limit || squared[at]! > this.farthest(reach + shifts[at - first]!)) continue;
      return at - first;
    }
    return shifts.length;
  }

  /** The squared distance, as the engine may compute it, of what is not farther than this. */
  private farthest(distance: number): number {
    return distance * distance + this.slack;
  }
}

/** The largest squared length of a row. */
function longest(rows: Float32Array, width: number): number {
  let most = 0;
  for (let row = 0; row < rows.length; row += width) {
    let sum = 0;
    for (let at = row; at < row + width; at++) sum += rows[at]! ** 2;
    most = Math.max(most, sum);
  }
  return most;
}
