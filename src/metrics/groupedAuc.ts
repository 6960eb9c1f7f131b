/**
 * AUC within groups, so that knowing who clicks much earns nothing: GAUC by user, request AUC by request.
 *   Σ_g w_g AUC_g / Σ_g w_g,   w_g = weight of the group's rows (its number of rows when unweighted)
 * over groups with both classes. A group of one class has no order to judge: it leaves numerator and denominator, and is counted.
 * Source: cascade-losses-and-metrics.md §7. (Giving such groups ½ is a different metric.)
 */
import { areaUnderCurve, ascendingRows } from './auc.js';
import { grouped, groupStarts } from './order.js';
import type { ScoredModel } from './scoredModel.js';
import { ratioOfSums, type Statistic } from './statistic.js';

export function gauc(model: ScoredModel): Statistic {
  const { userOf, users } = model.layout;
  return groupedAuc(model, userOf, groupStarts(userOf, users), (user) => user);
}

export function requestAuc(model: ScoredModel): Statistic {
  const { requestOf, set } = model.layout;
  return groupedAuc(model, requestOf, set.offsets, (request) => set.user[request]!);
}

function groupedAuc(
  { layout, scores, ascending }: ScoredModel,
  groupOf: Int32Array,
  starts: Int32Array,
  userOfGroup: (group: number) => number,
): Statistic {
  const order = grouped(ascending, groupOf, starts);
  const rows = ascendingRows(order, scores.values, layout.set.labels, layout.weights);
  const numerator = new Float64Array(layout.users);
  const denominator = new Float64Array(layout.users);
  const groups = starts.length - 1;
  let n = 0;
  for (let g = 0; g < groups; g++) {
    const area = areaUnderCurve(rows, starts[g]!, starts[g + 1]!);
    if (area === null) continue;
    const weight = rows.weights.subarray(starts[g], starts[g + 1]).reduce((sum, w) => sum + w, 0);
    numerator[userOfGroup(g)]! += weight * area;
    denominator[userOfGroup(g)]! += weight;
    n++;
  }
  return ratioOfSums(numerator, denominator, { n, leftOut: groups - n });
}
