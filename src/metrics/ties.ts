/** Candidates of one request with the same score share their places: every order of them is equally likely. */

/**
 * Calls `visit(start, end)` for each run of equal values among places from..to of an order, best first. Places count from `from`.
 */
export function forEachTie(
  bestFirst: Uint32Array,
  values: Float32Array,
  from: number,
  to: number,
  visit: (start: number, end: number) => void,
): void {
  for (let start = from; start < to;) {
    let end = start + 1;
    while (end < to && values[bestFirst[end]!] === values[bestFirst[start]!]) end++;
    visit(start, end);
    start = end;
  }
}
