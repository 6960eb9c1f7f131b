/**
 * All metrics of all models on one set, with bootstrap intervals. Every model sees the same resamples, so that the difference of two
 * models can be judged on the very same users (paired.ts). Models are measured one after the other, and resamples drawn again for each:
 * the sums of all metrics take some 360 bytes a user, the sorted scores a few a candidate.
 */
import type { RandomStream } from '../engine/random.js';
import { internal } from '../errors.js';
import { collectYoung } from '../memory.js';
import { pooledAuc } from './auc.js';
import { percentileInterval, resampledUsers, type Estimate } from './bootstrap.js';
import { ece, pcoc } from './calibration.js';
import { gauc, requestAuc } from './groupedAuc.js';
import { kendallTau } from './kendall.js';
import { logLoss, normalisedEntropy } from './logLoss.js';
import type { MetricPlace, MetricRow, ModelName } from './metricRow.js';
import { ndcg, teacherNdcg } from './ndcg.js';
import { pairAccuracy } from './pairAccuracy.js';
import { recall, teacherRecall } from './recall.js';
import { scoredModel, type ScoredModel } from './scoredModel.js';
import { layoutOf, type ScoredSet } from './scoredSet.js';
import { once, type Statistic } from './statistic.js';

export interface MeasureOptions {
  readonly set: ScoredSet;
  /** Logits per candidate of `set`. */
  readonly models: readonly { readonly model: ModelName; readonly logits: Float32Array }[];
  /** k of ndcg@k, recall@k and their teacher forms. */
  readonly cutoffs: readonly number[];
  /** The teacher's picks that teacher recall looks for. */
  readonly teacherTop: number;
  /** Resamples of users; 0 = no intervals. */
  readonly resamples: number;
  /** Opens the stream that they are drawn from, the same each time. */
  readonly stream: () => RandomStream;
}

/** One metric of one model. */
export interface Measured extends Estimate {
  readonly model: ModelName;
  readonly metric: string;
  /** Rows or groups that entered. */
  readonly n: number;
  /** Groups that could not enter. */
  readonly leftOut: number;
  /** Its value in each resample; NaN where undefined. Two models' draws belong together one by one. */
  readonly draws: Float64Array;
}

export class Measurements {
  constructor(readonly all: readonly Measured[]) {}

  find(model: ModelName, metric: string): Measured | undefined {
    return this.all.find((measured) => measured.model === model && measured.metric === metric);
  }

  of(model: ModelName, metric: string): Measured {
    return this.find(model, metric) ?? internal(`${metric} of ${model} was not measured`);
  }

  get models(): readonly ModelName[] {
    return [...new Set(this.all.map(({ model }) => model))];
  }

  /** The rows of the `metrics` table for the split, set and slice that were measured. */
  rows(place: MetricPlace): MetricRow[] {
    return this.all.map(({ model, metric, value, low, high, n }) => ({
      model,
      ...place,
      metric,
      value,
      low,
      high,
      n,
    }));
  }
}

export function measure(options: MeasureOptions): Measurements {
  const layout = layoutOf(options.set);
  return new Measurements(
    options.models.flatMap(({ model, logits }) =>
      measureModel(scoredModel(layout, logits, model), model, options),
    ),
  );
}

function measureModel(scored: ScoredModel, model: ModelName, options: MeasureOptions): Measured[] {
  const { users } = scored.layout;
  const statistics = statisticsOf(scored, options.cutoffs, options.teacherTop);
  const resamples = users > 1 ? options.resamples : 0; // one user alone would seem certain
  const draws = statistics.map(() => new Float64Array(resamples).fill(Number.NaN));
  let r = 0;
  for (const times of resampledUsers(users, resamples, options.stream())) {
    statistics.forEach(([, statistic], i) => {
      if (statistic.hasInterval) draws[i]![r] = statistic.value(times) ?? Number.NaN;
    });
    r++;
  }
  return statistics.map(([metric, statistic], i): Measured => {
    const { n, leftOut } = statistic;
    const value = statistic.value(once(users));
    return { model, metric, value, ...percentileInterval(draws[i]!), n, leftOut, draws: draws[i]! };
  });
}

/** Every metric, with its name in the `metrics` table. What one was sorted and summed in is let go of before the next. */
function statisticsOf(
  model: ScoredModel,
  cutoffs: readonly number[],
  teacherTop: number,
): (readonly [metric: string, statistic: Statistic])[] {
  const { teacher } = model.layout;
  const at = (name: string, statistic: (k: number) => Statistic) =>
    Object.fromEntries(cutoffs.map((k) => [`${name}@${k}`, () => statistic(k)]));
  const metrics: Record<string, () => Statistic> = {
    auc: () => pooledAuc(model),
    gauc: () => gauc(model),
    request_auc: () => requestAuc(model),
    logloss: () => logLoss(model),
    ne: () => normalisedEntropy(model),
    pcoc: () => pcoc(model),
    ece: () => ece(model),
    ...at('ndcg', (k) => ndcg(model, k)),
    ...at('recall', (k) => recall(model, k)),
    ...(teacher && {
      ...at('teacher_ndcg', (k) => teacherNdcg(model, teacher, k)),
      ...at('teacher_recall', (k) => teacherRecall(model, teacher, k, teacherTop)),
      teacher_opa: () => pairAccuracy(model, teacher),
      teacher_tau: () => kendallTau(model, teacher),
    }),
  };
  return Object.entries(metrics).map(([metric, make]) => {
    const statistic = make();
    collectYoung();
    return [metric, statistic];
  });
}
