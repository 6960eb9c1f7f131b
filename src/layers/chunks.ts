/**
 * Long sequences are walked in chunks, so that no array holds a number for every pair of query and behaviour. A sequence of at most one
 * chunk is computed at once.
 */

/** Behaviours at a time. */
export const chunkLength = 1024;

export const isLong = (behaviours: number): boolean => behaviours > chunkLength;

/** A stretch of positions. */
export interface Stretch {
  readonly from: number;
  readonly count: number;
}

/** Positions 0 to `length` in stretches of `size`; the last may be shorter. */
export function stretches(length: number, size: number): Stretch[] {
  return Array.from({ length: Math.ceil(length / size) }, (_, i) => ({
    from: i * size,
    count: Math.min(size, length - i * size),
  }));
}
