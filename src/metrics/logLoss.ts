/**
 * How well the probabilities fit, over rows (weighted by the set's weights):
 *   logloss = −mean( y log p + (1 − y) log(1 − p) ),  p clipped to [1e-7, 1 − 1e-7]
 *   NE      = logloss / entropy of the base rate: below 1 = better than predicting the mean everywhere
 * NE is undefined when all rows are of one class. Source: cascade-losses-and-metrics.md §7.
 */
import { probabilityOf, type ScoredModel } from './scoredModel.js';
import { ratioOfSums, weightedSum, type Statistic } from './statistic.js';

const clip = 1e-7;

export function logLoss(model: ScoredModel): Statistic {
  const { loss, weight } = sumsByUser(model);
  return ratioOfSums(loss, weight, { n: model.layout.candidates, leftOut: 0 });
}

export function normalisedEntropy(model: ScoredModel): Statistic {
  const { loss, weight, positive } = sumsByUser(model);
  return {
    n: model.layout.candidates,
    leftOut: 0,
    hasInterval: true,
    value(times) {
      const total = weightedSum(weight, times);
      const rate = weightedSum(positive, times) / total;
      const entropy = -(rate * Math.log(rate) + (1 - rate) * Math.log(1 - rate));
      // NaN when a class is empty (0 · log 0) or there is no row (0 / 0)
      return entropy > 0 ? weightedSum(loss, times) / total / entropy : null;
    },
  };
}

/** [user] each */
function sumsByUser(model: ScoredModel) {
  const { layout } = model;
  const { users, userOf, weights, set } = layout;
  const loss = new Float64Array(users);
  const weight = new Float64Array(users);
  const positive = new Float64Array(users);
  for (let i = 0; i < layout.candidates; i++) {
    const p = Math.min(1 - clip, Math.max(clip, probabilityOf(model, i)));
    const user = userOf[i]!;
    loss[user]! -= weights[i]! * Math.log(set.labels[i] ? p : 1 - p);
    weight[user]! += weights[i]!;
    positive[user]! += weights[i]! * set.labels[i]!;
  }
  return { loss, weight, positive };
}
