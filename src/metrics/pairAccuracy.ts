/**
 * Ordered pair accuracy: the share of pairs of different grade that the model puts in the same order, ties of the score counting
 * half. With 0/1 grades it is the AUC of the request.
 *   OPA = (concordant + ½ tied scores) / pairs of different grade
 * Mean over requests; those without such a pair are left out. Source: cascade-losses-and-metrics.md §7.
 */
import { fromPairCounts } from './pairCounts.js';
import type { ScoredModel } from './scoredModel.js';
import type { Grades } from './scoredSet.js';
import { meanOverRequests, type Statistic } from './statistic.js';

export function pairAccuracy(model: ScoredModel, grades: Grades): Statistic {
  const { layout } = model;
  const ofRequest = fromPairCounts(
    model,
    grades,
    ({ pairs, concordant, tiedScores, tiedGrades, tiedBoth }) =>
      (concordant + (tiedScores - tiedBoth) / 2) / (pairs - tiedGrades), // 0 / 0 = NaN = left out
  );
  return meanOverRequests(ofRequest, layout.set.user, layout.users);
}
