/**
 * Product quantisation as a residual one: each level has a part of the coordinates for itself, and its codes are 0 elsewhere. The nearest
 * code of a residual is then the nearest within the part, whatever the other parts hold, sums of codes put the parts side by side, and
 * all that works on sums over levels works as it is.
 * Source: Jégou et al. 2011; the parts are consecutive, and differ by one coordinate at most where levels do not divide the width.
 */
export function partsOf(levels: number, width: number): Float32Array[] {
  return Array.from({ length: levels }, (_, level) => {
    const from = Math.floor((level * width) / levels);
    const to = Math.floor(((level + 1) * width) / levels);
    return new Float32Array(width).fill(1, from, to);
  });
}

/** Rows of [row, width] with 0 outside of a part; without a part as they are. */
export function within(part: Float32Array | undefined, rows: Float32Array): Float32Array {
  return part ? rows.map((value, i) => value * part[i % part.length]!) : rows;
}
