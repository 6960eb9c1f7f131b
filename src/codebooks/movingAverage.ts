/**
 * Codes as exponential moving averages of the vectors that choose them. After a step with c_k vectors of sum S_k at code k:
 *   N_k <- g N_k + (1 - g) c_k      M_k <- g M_k + (1 - g) S_k
 *   n = Σ_k N_k      Ñ_k = n (N_k + eps) / (n + K eps)      X_k <- M_k / Ñ_k
 * Only N and X are kept: M is X Ñ of the N before, so that a code which was put elsewhere takes its average along.
 * codebook X: [code, width] and usage N: [code] are changed in place; vectors: [vector, width] with their codes [vector].
 * Source: van den Oord et al. 2017, appendix A.1; tarq.md 2.4 (eps: Laplace smoothing, for codes without any vector).
 */
export function moveCodes(
  codebook: Float32Array,
  usage: Float32Array,
  vectors: Float32Array,
  codes: ArrayLike<number>,
  decay: number,
): void {
  const width = codebook.length / usage.length;
  const hits = new Float64Array(usage.length);
  const sums = new Float64Array(codebook.length);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    hits[code]!++;
    for (let j = 0; j < width; j++) sums[code * width + j]! += vectors[i * width + j]!;
  }
  const before = smoothed(usage);
  usage.forEach((count, code) => (usage[code] = decay * count + (1 - decay) * hits[code]!));
  const after = smoothed(usage);
  codebook.forEach((value, i) => {
    const code = Math.floor(i / width);
    codebook[i] = (decay * value * before[code]! + (1 - decay) * sums[i]!) / after[code]!;
  });
}

const epsilon = 1e-5;

/** Ñ */
function smoothed(usage: Float32Array): Float64Array {
  const total = usage.reduce((sum, count) => sum + count, 0);
  return Float64Array.from(usage, (count) => (total * (count + epsilon)) / (total + usage.length * epsilon));
}
