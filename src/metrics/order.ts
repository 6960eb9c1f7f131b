/**
 * Sorting of scores. One sort of all candidates serves every metric: the order within users or requests follows from it by a
 * stable scatter, so nothing is sorted twice.
 */

const digitBits = 11;
const digits = 1 << digitBits;

/**
 * Places of `scores` in ascending order of score; equal scores keep the order of `start` (default: 0, 1, 2 …).
 *
 * Radix sort, three passes of 11 bits, O(n): a float's bits read as an integer sort like the float once the sign bit of positive
 * and all bits of negative numbers are inverted. −0 counts as 0. Scores must be finite.
 */
export function ascendingOrder(scores: Float32Array, start?: Uint32Array): Uint32Array {
  const n = scores.length;
  const keys = new Uint32Array(scores.slice().buffer);
  for (let i = 0; i < n; i++) {
    const bits = scores[i] === 0 ? 0 : keys[i]!;
    keys[i] = bits & 0x8000_0000 ? ~bits : bits | 0x8000_0000;
  }
  let from = start ? start.slice() : new Uint32Array(n).map((_, i) => i);
  let to = new Uint32Array(n);
  for (let shift = 0; shift < 32; shift += digitBits) {
    const next = new Uint32Array(digits + 1);
    for (let i = 0; i < n; i++) next[((keys[i]! >>> shift) & (digits - 1)) + 1]!++;
    for (let digit = 0; digit < digits; digit++) next[digit + 1]! += next[digit]!;
    for (let i = 0; i < n; i++) {
      const place = from[i]!;
      to[next[(keys[place]! >>> shift) & (digits - 1)]!++] = place;
    }
    [from, to] = [to, from];
  }
  return from;
}

/** The same order, group by group: places starts[g]..starts[g + 1] hold group g's places, still ascending. */
export function grouped(order: Uint32Array, groupOf: Int32Array, starts: Int32Array): Uint32Array {
  const next = Int32Array.from(starts);
  const result = new Uint32Array(order.length);
  for (const place of order) result[next[groupOf[place]!]!++] = place;
  return result;
}

/** As `grouped`, best first within each group. */
export function groupedDescending(order: Uint32Array, groupOf: Int32Array, starts: Int32Array): Uint32Array {
  return grouped(order.slice().reverse(), groupOf, starts);
}

/** Start of each group when rows are laid out group by group; one longer than the number of groups. */
export function groupStarts(groupOf: Int32Array, groups: number): Int32Array {
  const starts = new Int32Array(groups + 1);
  for (const group of groupOf) starts[group + 1]!++;
  for (let g = 0; g < groups; g++) starts[g + 1]! += starts[g]!;
  return starts;
}
