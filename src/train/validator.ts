/** Validation AUC on set A: what early stopping looks at. Compiled at the first time, kept for the others. */
import { Forward } from '../engine/forward.js';
import type { ModelState } from '../engine/state.js';
import { oneWorker, placeOf } from '../engine/workers/workers.js';
import { auc } from '../metrics/auc.js';
import { BegunBatches } from './batches/begunBatches.js';
import type { ScoringBatch } from './batches/scoringBatches.js';
import type { FitContext, FitPlan } from './fitPlan.js';
import { scoreSplit, splitLabels } from './scoring.js';

export class Validator {
  private readonly forward: Forward;
  private labels: Uint8Array | null = null;
  private begun: BegunBatches<ScoringBatch> | null = null;

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

  /** Has the first batches made: they are needed soon. */
  begin(): BegunBatches<ScoringBatch> {
    const { batches, workers = oneWorker } = this.context;
    this.begun ??= new BegunBatches(batches.scoring({ ...this.order, place: placeOf(workers) }));
    return this.begun;
  }

  /** Of these states of the models; null where the labels are all alike. */
  async auc(states: Readonly<Record<string, ModelState>>): Promise<number | null> {
    const { plan, order } = this;
    const { data, workers } = this.context;
    const run = this.forward.over({ ...plan.frozen, ...states });
    const scores = await scoreSplit(data, order, this.begin(), run, workers);
    this.begun = null;
    this.labels ??= splitLabels(data, order.shape.set, order.split);
    return auc(this.labels, scores);
  }

  async release(): Promise<void> {
    await this.begun?.close();
    await this.forward.release();
  }

  private get order() {
    return { needs: this.plan.needs, shape: this.validation.shape, split: 'validation' } as const;
  }
}
