/**
 * How two scores order the pairs of one request: what Kendall's tau and the ordered pair accuracy are made of. O(n log n) by
 * counting inversions while merging (Knight 1966), so that long lists cost no more than sorting them.
 */
import { ascendingOrder, grouped } from './order.js';
import type { ScoredModel } from './scoredModel.js';
import { pick, type Grades } from './scoredSet.js';

export interface PairCounts {
  /** n (n − 1) / 2 */
  readonly pairs: number;
  readonly concordant: number;
  readonly discordant: number;
  /** Pairs that the model scores the same. */
  readonly tiedScores: number;
  /** Pairs of the same grade. */
  readonly tiedGrades: number;
  /** Pairs that are both. */
  readonly tiedBoth: number;
}

/** [request] what follows from the counts of each. */
export function fromPairCounts(
  model: ScoredModel,
  grades: Grades,
  valueOf: (counts: PairCounts) => number,
): Float64Array {
  const { requestOf, requests, set } = model.layout;
  // Ascending by score, and by grade where scores are equal: the sort is stable and starts from ascending grades.
  const byGrade = grades.bestFirst.slice().reverse();
  const order = grouped(ascendingOrder(model.scores.values, byGrade), requestOf, set.offsets);
  return new Float64Array(requests).map((_, r) => {
    const places = order.subarray(set.offsets[r], set.offsets[r + 1]);
    return valueOf(pairCounts(pick(model.scores.values, places), pick(grades.values, places)));
  });
}

/** scores ascending, grades ascending where scores are equal. */
function pairCounts(scores: Float32Array, grades: Float32Array): PairCounts {
  const n = scores.length;
  const tiedScores = tiedPairs(n, (i) => scores[i] === scores[i - 1]);
  const tiedBoth = tiedPairs(n, (i) => scores[i] === scores[i - 1] && grades[i] === grades[i - 1]);
  const discordant = sortCountingInversions(grades);
  const tiedGrades = tiedPairs(n, (i) => grades[i] === grades[i - 1]); // they are sorted now
  const pairs = (n * (n - 1)) / 2;
  const concordant = pairs - tiedScores - tiedGrades + tiedBoth - discordant;
  return { pairs, concordant, discordant, tiedScores, tiedGrades, tiedBoth };
}

/** Pairs within runs of neighbours that are tied. */
function tiedPairs(n: number, tiedWithLast: (i: number) => boolean): number {
  let pairs = 0;
  for (let i = 1, run = 0; i < n; i++) {
    run = tiedWithLast(i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/** Sorts `values` ascending in place and returns how many pairs stood the wrong way round; equal values are no inversion. */
function sortCountingInversions(values: Float32Array): number {
  const n = values.length;
  const merged = new Float32Array(n);
  let inversions = 0;
  for (let width = 1; width < n; width *= 2) {
    for (let from = 0; from < n; from += 2 * width) {
      const middle = Math.min(from + width, n);
      const to = Math.min(from + 2 * width, n);
      let left = from;
      let right = middle;
      for (let place = from; place < to; place++) {
        if (right === to || (left < middle && values[left]! <= values[right]!)) {
          merged[place] = values[left++]!;
        } else {
          inversions += middle - left;
          merged[place] = values[right++]!;
        }
      }
    }
    values.set(merged);
  }
  return inversions;
}
