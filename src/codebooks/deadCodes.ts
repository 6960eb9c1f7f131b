import type { RandomStream } from '../engine/random.js';
import { overResiduals, type ResidualCodes } from './kmeans.js';
import { assign } from './nearest.js';

/**
 * Restart of dead codes: a code that hardly any vector chooses is put on one of the vectors.
 *   dead:  share of vectors with code k  <  below / codes        (below = 1 would be the even share)
 * Level by level, each on what the levels before it, restarted, leave. The vectors that take a dead code's place are different ones,
 * drawn at random from those that their code misses: with more codes than vectors, codes are left over and stay as they are.
 * vectors: [vector, width]; codebooks: one [code, width] per level, changed in place. Returns the restarted codes of each level.
 * Source: Lee et al. 2022 (RQ-VAE), with a threshold relative to the number of codes, since an absolute one restarts nearly all
 * codes when there are many (tarq.md 2.5).
 */
export function restartDeadCodes(
  vectors: Float32Array,
  width: number,
  codebooks: readonly Float32Array[],
  below: number,
  stream: RandomStream,
  { distance, parts }: Pick<ResidualCodes, 'distance' | 'parts'> = {},
): number[][] {
  const restarted: number[][] = [];
  const restart = (residuals: Float32Array, level: number) => {
    const codebook = codebooks[level]!;
    const { nearest, distances } = assign(residuals, codebook, width, distance);
    const dead = deadCodes(nearest, codebook.length / width, below);
    const missed = Array.from(nearest.keys()).filter((vector) => distances[vector]! > 0);
    const order = dead.length > 0 ? stream.permutation(missed.length) : [];
    const replaced = dead.slice(0, missed.length);
    replaced.forEach((code, i) => {
      const vector = missed[order[i]!]!;
      codebook.set(residuals.subarray(vector * width, (vector + 1) * width), code * width);
    });
    restarted.push(replaced);
    return { centres: codebook, nearest: assign(residuals, codebook, width, distance).nearest };
  };
  overResiduals(vectors, width, codebooks.length, restart, parts);
  return restarted;
}

function deadCodes(nearest: Int32Array, codes: number, below: number): number[] {
  const counts = new Int32Array(codes);
  for (const code of nearest) counts[code]!++;
  return Array.from(counts.keys()).filter((code) => counts[code]! < (below * nearest.length) / codes);
}
