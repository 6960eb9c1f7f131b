import type { RandomStream } from '../engine/random.js';

/**
 * Quantizer dropout: how many of its first levels each vector of a step uses. A share of the vectors uses fewer than all, a number drawn
 * evenly from 1 .. levels - 1, so that a prefix of the codes learns to stand for the vector by itself.
 * Source: Zeghidour et al. 2021 (SoundStream), section III.C, drawn per vector there too.
 */
export function keptLevels(
  vectors: number,
  levels: number,
  share: number,
  stream: RandomStream,
): Float32Array {
  return Float32Array.from({ length: vectors }, () =>
    stream.uniform() < share ? 1 + stream.below(levels - 1) : levels,
  );
}
