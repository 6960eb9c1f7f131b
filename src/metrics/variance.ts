/**
 * How much of the variance of vectors lies within groups: the health of a target attention. A teacher whose vector does not depend on
 * the candidate has a share of 0 within requests (reference-experiments.md section 4, item 1).
 *
 *   share = Σ_g Σ_i |h_gi - mean_g|^2 / Σ_g Σ_i |h_gi - mean|^2,   groups of at least two
 */
export class WithinGroupShare {
  private readonly sum: Float64Array;
  private count = 0;
  private squares = 0;
  private within = 0;

  constructor(private readonly width: number) {
    this.sum = new Float64Array(width);
  }

  /** Adds one group: `count` vectors of `vectors` from `at` on. */
  add(vectors: ArrayLike<number>, at: number, count: number): void {
    if (count < 2) return;
    const { width } = this;
    for (let j = 0; j < width; j++) {
      let sum = 0;
      let squares = 0;
      for (let i = 0; i < count; i++) {
        const value = vectors[at + i * width + j]!;
        sum += value;
        squares += value * value;
      }
      this.sum[j]! += sum;
      this.squares += squares;
      this.within += squares - (sum * sum) / count;
    }
    this.count += count;
  }

  /** The share, or null when there is no group of two or no variance at all. */
  get value(): number | null {
    const total = this.squares - this.sum.reduce((sum, value) => sum + (value * value) / this.count, 0);
    return this.count === 0 || total <= 0 ? null : Math.max(0, this.within) / total;
  }
}
