/** Validation AUC on set A: what early stopping looks at. Compiled at the first time, kept for the others. */
import { Forward } from '../engine/forward.js';
import type { ModelState } from '../engine/state.js';
import { oneWorker } from '../engine/workers/workers.js';
import { auc } from '../metrics/auc.js';
import type { FitContext, FitPlan } from './fitPlan.js';
import { scoreSplit, splitLabels } from './scoring.js';

export class Validator {
  private readonly forward: Forward;
  private labels: Uint8Array | null = null;

  constructor(
    private readonly plan: FitPlan,
    private readonly validation: NonNullable<FitPlan['validation']>,
    private readonly context: FitContext,
  ) {
    this.forward = new Forward(`${plan.name}-validation`, validation.score, context.device);
  }

  get engineMs(): number {
    return this.forward.busy.ms;
  }

  get compileMs(): number {
    return this.forward.compiling.ms;
  }

  /** Of these states of the models; null where the labels are all alike. */
  async auc(states: Readonly<Record<string, ModelState>>): Promise<number | null> {
    const { plan, context } = this;
    const { data, batches, workers = oneWorker } = context;
    const { shape } = this.validation;
    const run = this.forward.over({ ...plan.frozen, ...states });
    const order = { needs: plan.needs, shape, split: 'validation' } as const;
    const scores = await scoreSplit(data, batches, order, run, workers);
    this.labels ??= splitLabels(data, shape.set, 'validation');
    return auc(this.labels, scores);
  }

  async release(): Promise<void> {
    await this.forward.release();
  }
}
