/** What a training may spend, and the optimiser that it spends it by. */
import type { TrainingConfig } from '../config/config.js';
import { makeOptimizer } from '../engine/optim/make.js';
import type { LearningRate, Optimizer } from '../engine/optim/optimizer.js';
import { scheduleShare } from '../engine/optim/schedule.js';
import { oneWorker } from '../engine/workers/workers.js';
import type { Device } from '../engine/devices/device.js';
import type { Position } from './batches/trainingBatches.js';
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

/** Requests from a position on until the epoch ends, or the training within it. */
export const requestsUntilEnd = ({ requests, lastRequest }: Budget, position: Position): number =>
  Math.min(requests, lastRequest - position.epoch * requests) - position.requests;

/** Bytes a step for bringing tables back from a device; the rows of a batch and their gradients, which cross where tables do not lie there, are about as many. */
const bytesBroughtBack = 2 ** 20;

/**
 * Bytes of a device's memory that a training's tables may take. Work between steps finds them in host memory, so that all of them come
 * back each time; where that would be more than the rows of the steps between, they had better stay on the host.
 */
export function deviceTableBytes({ embeddings }: TrainingConfig, between?: FitPlan['between']): number {
  if (embeddings.kind !== 'memory') return 0;
  const { everySteps } = between ?? { everySteps: 0 };
  const bytes = embeddings.deviceMegabytes * 2 ** 20;
  return everySteps === 0 ? bytes : Math.min(bytes, everySteps * bytesBroughtBack);
}

/** Steps of a run where the device keeps nothing between runs and the config does not say: a third of the bytes of single steps. */
const stepsOfRun = 32;

/** Steps that one run takes (engine/severalSteps.ts). */
export const stepsPerRun = (
  { stepsPerRun: steps }: Pick<TrainingConfig, 'stepsPerRun'>,
  { provider }: Device,
): number => (steps === 0 ? (provider === 'cuda' ? stepsOfRun : 1) : steps);

/** The config's optimiser; rows at rest are not moved where the config says so. */
export function trainingOptimizer({ optimizer, untouchedRows }: TrainingConfig): Optimizer {
  const { drift, ...resting } = makeOptimizer(optimizer);
  return untouchedRows === 'drift' && drift ? { ...resting, drift } : resting;
}
