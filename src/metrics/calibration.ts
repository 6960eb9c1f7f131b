/**
 * Whether probabilities mean what they say, over rows (weighted by the set's weights):
 *   PCOC = Σ p / Σ y: above 1 = promises too much; undefined without a positive
 *   ECE  = Σ_b (n_b / n) |mean p − mean y| over bins b of the prediction
 * Bins: 20 of equal mass (as many rows each as ties allow) rather than equal width, since predictions of click rates crowd near 0.
 * Source: cascade-losses-and-metrics.md §7.
 */
import { probabilityOf, type ScoredModel } from './scoredModel.js';
import { ratioOfSums, type Statistic } from './statistic.js';

const calibrationBins = 20;

export function pcoc(model: ScoredModel): Statistic {
  const { layout } = model;
  const predicted = new Float64Array(layout.users);
  const happened = new Float64Array(layout.users);
  for (let i = 0; i < layout.candidates; i++) {
    predicted[layout.userOf[i]!]! += layout.weights[i]! * probabilityOf(model, i);
    happened[layout.userOf[i]!]! += layout.weights[i]! * layout.set.labels[i]!;
  }
  return ratioOfSums(predicted, happened, { n: layout.candidates, leftOut: 0 });
}

/** `edges` are the inner boundaries of the bins, ascending; a prediction on an edge belongs to the bin above it. */
export function ece(model: ScoredModel, edges = equalMassEdges(model)): Statistic {
  const { layout } = model;
  const binOf = new Uint16Array(layout.candidates).map((_, i) => binAmong(edges, probabilityOf(model, i)));
  return {
    n: layout.candidates,
    leftOut: 0,
    hasInterval: false,
    value(times) {
      const gaps = new Float64Array(edges.length + 1);
      let total = 0;
      for (let i = 0; i < layout.candidates; i++) {
        const weight = times[layout.userOf[i]!]! * layout.weights[i]!;
        gaps[binOf[i]!]! += weight * (probabilityOf(model, i) - layout.set.labels[i]!);
        total += weight;
      }
      return total === 0 ? null : gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / total;
    },
  };
}

/** One point of the calibration curve. */
export interface CalibrationBin {
  readonly meanPrediction: number;
  readonly meanLabel: number;
  /** Rows. */
  readonly n: number;
}

/** Mean prediction against mean label in the bins of `ece`; empty bins are left out. */
export function calibrationCurve(model: ScoredModel, edges = equalMassEdges(model)): CalibrationBin[] {
  const { layout } = model;
  const sums = Array.from({ length: edges.length + 1 }, () => ({ weight: 0, p: 0, y: 0, n: 0 }));
  for (let i = 0; i < layout.candidates; i++) {
    const p = probabilityOf(model, i);
    const bin = sums[binAmong(edges, p)]!;
    bin.weight += layout.weights[i]!;
    bin.p += layout.weights[i]! * p;
    bin.y += layout.weights[i]! * layout.set.labels[i]!;
    bin.n++;
  }
  return sums
    .filter((bin) => bin.weight > 0)
    .map(({ weight, p, y, n }) => ({ meanPrediction: p / weight, meanLabel: y / weight, n }));
}

/** Inner boundaries that give each bin about the same number of rows; equal predictions stay together. */
export function equalMassEdges(model: ScoredModel, bins = calibrationBins): number[] {
  const { ascending } = model;
  const edges: number[] = [];
  for (let b = 1; b < bins; b++) {
    const place = ascending[Math.floor((b * ascending.length) / bins)];
    if (place === undefined) break;
    const edge = probabilityOf(model, place);
    if (edge > (edges.at(-1) ?? -1)) edges.push(edge);
  }
  return edges;
}

/** Number of edges at or below p, by bisection. */
function binAmong(edges: readonly number[], p: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! <= p) low = middle + 1;
    else high = middle;
  }
  return low;
}
