/**
 * Area under the ROC curve: how likely a positive scores above a negative, ties counting half.
 *   AUC = Σ_{positive i, negative j} w_i w_j ([s_i > s_j] + ½ [s_i = s_j]) / (Σ w_i · Σ w_j)
 * With weights 1 this is the mid-rank form. Undefined (null, not ½) when all rows with weight are of one class.
 * Source: cascade-losses-and-metrics.md §7.
 */
import type { ScoredModel } from './scoredModel.js';
import type { Statistic, Times } from './statistic.js';

/** Rows in ascending order of score. */
export interface AscendingRows {
  readonly labels: Uint8Array;
  /** 1 = the next row has a higher score. */
  readonly endsTie: Uint8Array;
  readonly weights: Float32Array;
}

export function ascendingRows(
  order: Uint32Array,
  scores: Float32Array,
  labels: Uint8Array,
  weights: Float32Array,
): AscendingRows {
  const n = order.length;
  const rows = { labels: new Uint8Array(n), endsTie: new Uint8Array(n), weights: new Float32Array(n) };
  for (let i = 0; i < n; i++) {
    rows.labels[i] = labels[order[i]!]!;
    rows.weights[i] = weights[order[i]!]!;
    rows.endsTie[i] = i + 1 === n || scores[order[i + 1]!]! !== scores[order[i]!]! ? 1 : 0;
  }
  return rows;
}

/** How often each row counts: as often as its user. */
interface Resample {
  readonly userOf: Uint32Array; // [row]
  readonly times: Times;
}

/** AUC of rows from..to; the last row ends its tie whatever follows it. */
export function areaUnderCurve(
  { labels, endsTie, weights }: AscendingRows,
  from: number,
  to: number,
  resample?: Resample,
): number | null {
  let area = 0;
  let positives = 0;
  let negatives = 0;
  let tiedPositives = 0;
  let tiedNegatives = 0;
  for (let i = from; i < to; i++) {
    const weight = weights[i]! * (resample ? resample.times[resample.userOf[i]!]! : 1);
    const positive = weight * labels[i]!; // no branch on the label: it cannot be predicted
    tiedPositives += positive;
    tiedNegatives += weight - positive;
    if (endsTie[i]! === 1 || i + 1 === to) {
      area += tiedPositives * (negatives + tiedNegatives / 2);
      positives += tiedPositives;
      negatives += tiedNegatives;
      tiedPositives = 0;
      tiedNegatives = 0;
    }
  }
  return positives > 0 && negatives > 0 ? area / (positives * negatives) : null;
}

/**
 * The AUC of all rows, each of weight 1, for early stopping: of each positive, how many negatives score below it and how many at most as
 * high. It is asked for once an epoch, when V8 has compiled little of it, so that V8's own sort does most of the work.
 */
export function auc(labels: Uint8Array, scores: Float32Array): number | null {
  let positives = new Float32Array(scores.length);
  let negatives = new Float32Array(scores.length);
  let found = 0;
  for (let i = 0; i < scores.length; i++) {
    if (labels[i] === 1) positives[found++] = scores[i]!;
    else negatives[i - found] = scores[i]!;
  }
  positives = positives.subarray(0, found).sort();
  negatives = negatives.subarray(0, scores.length - found).sort();
  if (positives.length === 0 || negatives.length === 0) return null;
  let below = 0;
  let upTo = 0;
  let twice = 0;
  for (const score of positives) {
    while (below < negatives.length && negatives[below]! < score) below++;
    while (upTo < negatives.length && negatives[upTo]! <= score) upTo++;
    twice += below + upTo;
  }
  return twice / 2 / (positives.length * negatives.length);
}

/** The AUC of all rows of a set. A resample costs one pass over the rows: its order is the set's own. */
export function pooledAuc({ layout, scores, ascending }: ScoredModel): Statistic {
  const rows = ascendingRows(ascending, scores.values, layout.set.labels, layout.weights);
  const userOf = ascending.map((candidate) => layout.userOf[candidate]!);
  const n = layout.candidates;
  return {
    n,
    leftOut: 0,
    hasInterval: true,
    value: (times) => areaUnderCurve(rows, 0, n, { userOf, times }),
  };
}
