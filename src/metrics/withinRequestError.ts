/**
 * How far an approximation is from what it approximates in what ranking sees: differences between candidates of one request.
 *
 *   error = Σ_r Σ_c ((a_rc - mean_r a) - (x_rc - mean_r x))^2 / Σ_r Σ_c (x_rc - mean_r x)^2,   requests of at least two candidates
 *
 * 0 = the same order and distances; 1 = no better than saying nothing. An error of vectors over all rows misleads: it looks small
 * where nothing depends on the candidate (reference-experiments.md section 4, item 2).
 */
export class WithinRequestError {
  private missed = 0;
  private total = 0;

  /** Adds a request: `count` values of both, from `at` on and `stride` apart. Vectors are added coordinate by coordinate. */
  add(approximate: ArrayLike<number>, exact: ArrayLike<number>, at: number, count: number, stride = 1): void {
    if (count < 2) return;
    const end = at + count * stride;
    let meanApproximate = 0;
    let meanExact = 0;
    for (let i = at; i < end; i += stride) {
      meanApproximate += approximate[i]! / count;
      meanExact += exact[i]! / count;
    }
    for (let i = at; i < end; i += stride) {
      const centred = exact[i]! - meanExact;
      this.missed += (approximate[i]! - meanApproximate - centred) ** 2;
      this.total += centred ** 2;
    }
  }

  /** null when exact values do not differ within any request. */
  get value(): number | null {
    return this.total > 0 ? this.missed / this.total : null;
  }
}
