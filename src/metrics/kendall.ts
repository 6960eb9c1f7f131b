/**
 * Kendall's tau-b between the model's and another order of the same candidates: 1 = the same order, −1 = the reverse.
 *   τ_b = (C − D) / √((n0 − T_x)(n0 − T_y)),   n0 = n (n − 1) / 2, T = tied pairs of a side
 * Mean over requests; those where a side is constant have no order and are left out. Source: cascade-losses-and-metrics.md §7.
 */
import { fromPairCounts } from './pairCounts.js';
import type { ScoredModel } from './scoredModel.js';
import type { Grades } from './scoredSet.js';
import { meanOverRequests, type Statistic } from './statistic.js';

export function kendallTau(model: ScoredModel, grades: Grades): Statistic {
  const { layout } = model;
  const ofRequest = fromPairCounts(
    model,
    grades,
    ({ pairs, concordant, discordant, tiedScores, tiedGrades }) =>
      (concordant - discordant) / Math.sqrt((pairs - tiedScores) * (pairs - tiedGrades)), // 0 / 0 = NaN = left out
  );
  return meanOverRequests(ofRequest, layout.set.user, layout.users);
}
