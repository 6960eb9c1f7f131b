/** What a training may spend, and the optimiser that it spends it by. */
import type { TrainingConfig } from '../config/config.js';
import { makeOptimizer } from '../engine/optim/make.js';
import type { LearningRate, Optimizer } from '../engine/optim/optimizer.js';
import { scheduleShare } from '../engine/optim/schedule.js';
import { oneWorker } from '../engine/workers/workers.js';
import type { FitContext, FitPlan } from './fitPlan.js';

export interface Budget {
  /** Requests of the primary set in one pass. */
  readonly requests: number;
  /** Requests after which the budget is spent, counted from the first epoch. */
  readonly lastRequest: number;
  readonly steps: number;
  readonly learningRate: LearningRate;
}

export function budgetOf(
  { primary, epochs, epochsBefore = 0 }: FitPlan,
  { data, training, workers = oneWorker }: FitContext,
): Budget {
  const requests = data.requests(primary.shape.set, primary.split);
  const lastRequest = Math.round(epochs * requests);
  const perStep = workers.size * primary.shape.requests;
  const steps = Math.ceil((lastRequest - Math.round(epochsBefore * requests)) / perStep);
  const { optimizer, schedule } = training;
  return {
    requests,
    lastRequest,
    steps,
    learningRate: (step) => optimizer.learningRate * scheduleShare(schedule, step, steps),
  };
}

/** The config's optimiser; rows at rest are not moved where the config says so. */
export function trainingOptimizer({ optimizer, untouchedRows }: TrainingConfig): Optimizer {
  const { drift, ...resting } = makeOptimizer(optimizer);
  return untouchedRows === 'drift' && drift ? { ...resting, drift } : resting;
}
