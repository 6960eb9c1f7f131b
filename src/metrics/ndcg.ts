/**
 * Normalised discounted cumulative gain: how much of the gain stands near the top of the model's order.
 *   DCG@k = Σ_{rank r = 1..k} gain_r / log2(1 + r),   NDCG@k = DCG@k of the model / DCG@k of the best order of the same candidates
 * ndcg@k: gain 2^label − 1, which is the label itself for 0/1. teacher_ndcg@k: gain sigmoid(teacher's logit), linear.
 * Tied scores: the mean gain of the group times the sum of its discounts (McSherry and Najork 2008).
 *
 * Mean over requests. Left out and counted: requests with one candidate, and those whose gains are all 0 (no positive).
 * Source: cascade-losses-and-metrics.md §7.
 */
import { sigmoid, type ScoredModel } from './scoredModel.js';
import type { Grades } from './scoredSet.js';
import { meanOverRequests, type Statistic } from './statistic.js';
import { forEachTie } from './ties.js';

export function ndcg(model: ScoredModel, k: number): Statistic {
  return normalisedGain(model, model.layout.labels, (label) => label, k);
}

export function teacherNdcg(model: ScoredModel, teacher: Grades, k: number): Statistic {
  return normalisedGain(model, teacher, sigmoid, k);
}

/** `gainOf` must not fall: the best order of the grades is then the best order of the gains. */
export function normalisedGain(
  { layout, scores }: ScoredModel,
  grades: Grades,
  gainOf: (grade: number) => number,
  k: number,
): Statistic {
  const { offsets, user } = layout.set;
  const gains = new Float64Array(layout.candidates);
  for (let i = 0; i < gains.length; i++) gains[i] = gainOf(grades.values[i]!);
  const ofRequest = new Float64Array(layout.requests).fill(Number.NaN);
  for (let r = 0; r < layout.requests; r++) {
    const from = offsets[r]!;
    const to = offsets[r + 1]!;
    const ideal = discountedGain(grades, gains, from, to, k);
    if (to - from > 1 && ideal > 0) ofRequest[r] = discountedGain(scores, gains, from, to, k) / ideal;
  }
  return meanOverRequests(ofRequest, user, layout.users);
}

function discountedGain(
  { bestFirst, values }: Grades,
  gains: Float64Array,
  from: number,
  to: number,
  k: number,
): number {
  let total = 0;
  forEachTie(bestFirst, values, from, to, (start, end) => {
    let gain = 0;
    for (let place = start; place < end; place++) gain += gains[bestFirst[place]!]!;
    let discounts = 0;
    for (let place = start; place < Math.min(end, from + k); place++) {
      discounts += 1 / Math.log2(2 + place - from);
    }
    total += (gain / (end - start)) * discounts;
  });
  return total;
}
