/**
 * Which of the wanted candidates come into the top k of the model.
 *   recall@k          mean over requests of |top_k(model) ∩ positives| / |positives|
 *   teacher_recall@k  mean over requests of |top_k(model) ∩ top_m(teacher)| / m,  m = min(teacherTop, k)
 * Ties at the border count with the probability that a random order of the tied group lets them in, on both sides.
 *
 * Left out and counted: requests with one candidate, without a positive (recall), or with n <= k (teacher recall, which would be 1
 * for any model). m never exceeds k, or the best possible value would be below 1.
 * Source: cascade-losses-and-metrics.md §7 (recall@k, macro; recall of the ranker's top m inside the pre-ranker's top k).
 */
import type { ScoredModel } from './scoredModel.js';
import type { Grades, Layout } from './scoredSet.js';
import { meanOverRequests, type Statistic } from './statistic.js';
import { forEachTie } from './ties.js';

export function recall({ layout, scores }: ScoredModel, k: number): Statistic {
  const { labels, offsets, user } = layout.set;
  const share = topShares(layout, scores, k);
  const ofRequest = new Float64Array(layout.requests).fill(Number.NaN);
  for (let r = 0; r < layout.requests; r++) {
    let hits = 0;
    let positives = 0;
    for (let i = offsets[r]!; i < offsets[r + 1]!; i++) {
      hits += labels[i]! * share[i]!;
      positives += labels[i]!;
    }
    if (positives > 0 && offsets[r + 1]! - offsets[r]! > 1) ofRequest[r] = hits / positives;
  }
  return meanOverRequests(ofRequest, user, layout.users);
}

export function teacherRecall(
  { layout, scores }: ScoredModel,
  teacher: Grades,
  k: number,
  teacherTop: number,
): Statistic {
  const { offsets, user } = layout.set;
  const m = Math.min(teacherTop, k);
  const share = topShares(layout, scores, k);
  const wanted = topShares(layout, teacher, m);
  const ofRequest = new Float64Array(layout.requests).fill(Number.NaN);
  for (let r = 0; r < layout.requests; r++) {
    if (offsets[r + 1]! - offsets[r]! <= k) continue;
    let hits = 0;
    for (let i = offsets[r]!; i < offsets[r + 1]!; i++) hits += wanted[i]! * share[i]!;
    ofRequest[r] = hits / m;
  }
  return meanOverRequests(ofRequest, user, layout.users);
}

/** [candidate] the probability that a candidate is among the k best of its request. */
function topShares({ set, requests, candidates }: Layout, { bestFirst, values }: Grades, k: number) {
  const shares = new Float64Array(candidates);
  for (let r = 0; r < requests; r++) {
    const from = set.offsets[r]!;
    forEachTie(bestFirst, values, from, set.offsets[r + 1]!, (start, end) => {
      const share = Math.min(1, Math.max(0, (from + k - start) / (end - start)));
      for (let place = start; place < end; place++) shares[bestFirst[place]!] = share;
    });
  }
  return shares;
}
