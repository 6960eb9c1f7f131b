/**
 * The training loop: steps over epochs of the primary set, validation AUC on set A at the end of each, early stopping, the best epoch
 * kept. Cut off at any moment it goes on from its last checkpoint and ends with the same bytes as a training that was never cut off:
 * weights, optimiser, schedule, data position and history are all in the checkpoint, and no value depends on when it was written.
 *
 * Several workers make the same training in step: each takes its part of every batch and of every validation, and everything else alike.
 * The first alone reports and writes checkpoints; all go on from them.
 */
import { join } from 'node:path';
import { BusyClock } from '../engine/busyClock.js';
import { settledState, type FeedBatch, type TrainedModel } from '../engine/gradients.js';
import { copyState, type ModelState } from '../engine/state.js';
import { TrainingStep } from '../engine/step.js';
import { expectAgreement } from '../engine/workers/agreement.js';
import { oneWorker, placeOf, type Workers } from '../engine/workers/workers.js';
import { internal } from '../errors.js';
import { returnGarbageAtTimes } from '../memory.js';
import { diskProblem } from '../run/files.js';
import { inRuns } from './batches/batchRuns.js';
import { startAt, type StreamPosition } from './batches/trainingBatches.js';
import {
  budgetOf,
  deviceTableBytes,
  requestsUntilEnd,
  stepsPerRun,
  trainingOptimizer,
  type Budget,
} from './budget.js';
import { readCheckpoint, writeCheckpoint } from './checkpoint.js';
import type { EpochReport, FitContext, FitPlan, FitResult, TrainingTime } from './fitPlan.js';
import { TrainedTables, type TableMarks } from './trainedTables.js';
import { epochWords, lossShare } from './epochWords.js';
import { Validator } from './validator.js';
import { logArrays, restoreArrays, restoreLog, trainingArrays } from './trainingArrays.js';

/** Steps before the end of an epoch in which its validation has its first batches made. */
const beginValidation = 4;

/** What a checkpoint holds beside numbers. */
interface Progressed {
  readonly step: number;
  readonly position: StreamPosition;
  readonly epochs: EpochReport[];
  readonly epochFirstStep: number;
  readonly bestAt: number;
  readonly finished: boolean;
  /** Where the embeddings lie in files. */
  readonly tables: TableMarks;
}

export async function fit(plan: FitPlan, context: FitContext): Promise<FitResult> {
  try {
    const training = await Training.start(plan, context);
    if (!training.finished) await training.run();
    return training.result();
  } catch (cause) {
    throw diskProblem(folderOf(plan, context), cause);
  }
}

class Training {
  private readonly log: Record<string, number[]>;
  private best: Record<string, ModelState>;
  private readonly validator: Validator | null;
  /** The models as they are at the end of the present epoch. */
  private settled: Record<string, ModelState> = {};
  private readonly between = new BusyClock();
  private readonly validating = new BusyClock();
  /** Of it the optimiser's part: what rows have missed. */
  private readonly settling = new BusyClock();
  private readonly saving = new BusyClock();
  private time: TrainingTime | null = null;

  private constructor(
    private readonly plan: FitPlan,
    private readonly context: FitContext,
    private readonly tables: TrainedTables,
    private readonly workers: Workers,
    private state: Progressed,
    log: Record<string, number[]>,
    best: Record<string, ModelState>,
  ) {
    this.validator = plan.validation ? new Validator(plan, plan.validation, context) : null;
    this.log = log;
    this.best = best;
  }

  static async start(plan: FitPlan, context: FitContext): Promise<Training> {
    const optimizer = trainingOptimizer(context.training);
    const { learningRate } = budgetOf(plan, context);
    const { workers = oneWorker } = context;
    const folder = folderOf(plan, context);
    const checkpoint = await readCheckpoint<Progressed>(folder, context.progress);
    const marks = checkpoint && checkpoint.state.tables;
    const tables = await TrainedTables.open(
      plan.trained,
      context.training,
      optimizer,
      learningRate,
      folder,
      marks,
    );
    context.closeLater(tables);
    const best = mapValues(plan.trained, copyState);
    if (checkpoint) {
      restoreArrays(trainingArrays(tables.models, best), checkpoint.tensors);
      await workers.meet(); // before the first writes the next one
      const kept = mapValues(best, (state, name) => tables.remembered(name, state));
      const log = restoreLog(checkpoint.tensors);
      return new Training(plan, context, tables, workers, checkpoint.state, log, kept);
    }
    await workers.meet();
    const { requests } = budgetOf(plan, context);
    const before = plan.epochsBefore ?? 0;
    const wholeEpochs = Math.floor(before);
    const state: Progressed = {
      step: 0,
      position: startAt({ epoch: wholeEpochs, requests: Math.round((before - wholeEpochs) * requests) }),
      epochs: [],
      epochFirstStep: 0,
      bestAt: -1,
      finished: false,
      tables: {},
    };
    return new Training(plan, context, tables, workers, state, {}, best);
  }

  private get models(): Readonly<Record<string, TrainedModel>> {
    return this.tables.models;
  }

  get finished(): boolean {
    return this.state.finished;
  }

  async run(): Promise<void> {
    const { plan, context } = this;
    const { training } = context;
    const budget = budgetOf(plan, context);
    const step = new TrainingStep({
      name: plan.name,
      trained: this.models,
      frozen: plan.frozen ?? {},
      loss: plan.loss,
      optimizer: trainingOptimizer(training),
      learningRate: budget.learningRate,
      clipNorm: training.clipNorm,
      device: context.device,
      deviceTableBytes: deviceTableBytes(training, plan.between),
      stepsPerRun: stepsPerRun(training, context.device),
      workers: this.workers,
      saveTo: context.saveTo,
    });
    const batches = context.batches.training({
      needs: plan.needs,
      seed: context.seed,
      primary: plan.primary,
      ...(plan.secondary && { secondary: plan.secondary }),
      place: placeOf(this.workers),
      from: this.state.position,
      lastRequest: budget.lastRequest,
    });
    const stream = inRuns(batches, () => Math.min(step.stepsPerRun, this.stepsUntilBetween));
    const task = context.progress.begin(plan.name, budget.steps, 'steps');
    const started = performance.now();
    const waiting = new BusyClock();
    let lastCheckpoint = Date.now();
    try {
      for (;;) {
        const came = waiting.start();
        const { value } = await stream.next();
        came();
        const run = value ?? internal('training goes on where its batches ended');
        if (run.batches.length > 0) {
          await this.takeRun(step, run.batches, budget, task);
          const left = requestsUntilEnd(budget, run.position.primary);
          if (left <= beginValidation * this.workers.size * plan.primary.shape.requests)
            this.validator?.begin();
        } else {
          await step.toHost();
          await this.endEpoch(run.isLast);
          if (this.state.finished) break;
        }
        this.state = { ...this.state, position: run.position };
        if (Date.now() - lastCheckpoint > training.checkpointEverySeconds * 1000) {
          await step.toHost();
          await this.save();
          lastCheckpoint = Date.now();
        }
      }
      await this.save();
      const validation = this.validator ?? unused;
      const encoder = plan.between?.encoder ?? unused;
      this.time = {
        wallMs: performance.now() - started,
        engineMs: step.busy.ms + this.settling.ms + validation.engineMs + encoder.engineMs,
        compileMs: step.compiling.ms + validation.compileMs + encoder.compileMs,
        betweenMs: this.between.ms - encoder.engineMs - encoder.compileMs,
        batchMs: waiting.ms,
        validationMs: this.validating.ms - this.settling.ms - validation.engineMs - validation.compileMs,
        checkpointMs: this.saving.ms,
      };
    } finally {
      task.end();
      await stream.return();
      await step.release();
      await this.validator?.release();
      await plan.measure?.release();
      await plan.between?.encoder?.release();
    }
  }

  result(): FitResult {
    const { epochs, bestAt, step, position } = this.state;
    return {
      time: this.time ?? noTime,
      best: this.best,
      epochs,
      bestEpoch: epochs[bestAt] ?? null,
      log: this.log,
      steps: step,
      position,
    };
  }

  private async takeRun(
    step: TrainingStep,
    batches: readonly FeedBatch[],
    { steps, learningRate }: Budget,
    task: { update(done: number, words: string): void },
  ): Promise<void> {
    const first = this.state.step + 1;
    const { scalars } = this.plan;
    const run = scalars ? batches.map((batch, i) => withScalars(batch, scalars(first + i, steps))) : batches;
    const reports = await step.takeRun(run, first);
    for (const batch of batches) batch.giveBack?.();
    for (const [i, report] of reports.entries()) {
      const number = first + i;
      this.state = { ...this.state, step: number };
      this.addToLog(report.terms);
      this.addToLog(sharesByName(report.shares));
      this.addToLog(await this.betweenSteps(step, number));
      const { loss, gradientNorm } = report;
      this.addToLog({ loss, gradient_norm: gradientNorm, learning_rate: learningRate(number) });
      task.update(number, `loss ${report.loss.toFixed(4)}`);
    }
  }

  private addToLog(values: Readonly<Record<string, number>>): void {
    for (const name in values) (this.log[name] ??= []).push(Math.fround(values[name]!)); // as the checkpoint holds it
  }

  /** Steps until the models are worked on: no run goes on beyond. */
  private get stepsUntilBetween(): number {
    const { everySteps } = this.plan.between ?? { everySteps: 0 };
    return everySteps === 0 ? Number.POSITIVE_INFINITY : everySteps - (this.state.step % everySteps);
  }

  private async betweenSteps(step: TrainingStep, number: number): Promise<Readonly<Record<string, number>>> {
    const { between } = this.plan;
    if (!between) return {};
    const counts = Object.fromEntries(between.counts.map((name) => [name, 0]));
    if (between.everySteps === 0 || number % between.everySteps !== 0) return counts;
    await step.toHost();
    return { ...counts, ...(await this.runBetween(between, number)) };
  }

  private async runBetween(between: NonNullable<FitPlan['between']>, step: number) {
    const ran = this.between.start();
    const counts = await between.run(this.models, step);
    ran();
    return counts;
  }

  /** Validates, keeps the state when it is the best so far, and says whether training is over. */
  private async endEpoch(budgetSpent: boolean): Promise<void> {
    const { plan, context } = this;
    const { validation } = plan;
    const from = this.state.epochFirstStep;
    if (this.state.step === from) {
      // Nothing was trained since the last validation: the budget ended with an epoch.
      this.state = { ...this.state, finished: budgetSpent };
      return;
    }
    if (plan.between?.atEpochEnds) await this.runBetween(plan.between, this.state.step);
    const validated = this.validating.start();
    const settled = this.settling.start();
    this.settled = mapValues(this.models, (model) => settledState(model, this.state.step));
    settled();
    await expectAgreement(this.workers, this.settled);
    returnGarbageAtTimes(); // that of the steps: what follows takes memory beside theirs
    const value = (await this.validator?.auc(this.settled)) ?? null;
    const terms = mapValues(this.log, (values) => mean(values.slice(from)));
    const requests = context.data.requests(plan.primary.shape.set, plan.primary.split);
    const { primary } = this.state.position;
    const report: EpochReport = {
      epoch: budgetSpent ? plan.epochs : primary.epoch + Math.floor(primary.requests / requests),
      step: this.state.step,
      validationAuc: value,
      terms,
      measures: (this.isFirst && (await plan.measure?.of(this.settled))) || {},
    };
    const epochs = [...this.state.epochs, report];
    const bestBefore = this.state.epochs[this.state.bestAt]?.validationAuc ?? null;
    const isBest = !validation || bestBefore === null || (value !== null && value > bestBefore);
    if (isBest) this.best = mapValues(this.settled, (state, name) => this.keep(state, name));
    const bestAt = isBest ? epochs.length - 1 : this.state.bestAt;
    const outOfPatience = validation !== undefined && epochs.length - 1 - bestAt >= validation.patience;
    this.state = {
      ...this.state,
      epochs,
      bestAt,
      epochFirstStep: this.state.step,
      finished: budgetSpent || outOfPatience,
    };
    context.progress.note(`${plan.name}: ${epochWords(report, isBest)}`);
    validated();
  }

  /** A settled state as one that stays. */
  private keep(state: ModelState, name: string): ModelState {
    return { ...state, table: this.models[name]!.rows.keep(this.state.step, state.table) };
  }

  private get isFirst(): boolean {
    return this.workers.rank === 0;
  }

  private async save(): Promise<void> {
    if (!this.isFirst) return;
    const saved = this.saving.start();
    const state = { ...this.state, tables: this.tables.marks() };
    const tensors = { ...trainingArrays(this.models, this.best), ...logArrays(this.log) };
    await writeCheckpoint(folderOf(this.plan, this.context), { state, tensors });
    this.tables.checkpointed();
    saved();
  }
}

/** The engine's time for what a plan has not. */
const unused = { engineMs: 0, compileMs: 0 };

/** Of a training that was finished before. */
const noTime: TrainingTime = {
  wallMs: 0,
  engineMs: 0,
  compileMs: 0,
  betweenMs: 0,
  batchMs: 0,
  validationMs: 0,
  checkpointMs: 0,
};

const folderOf = (plan: FitPlan, context: FitContext) => join(context.checkpointFolder, plan.name);

/** By their names in the log, where the loss has several terms. */
const sharesByName = (shares: Readonly<Record<string, number>>) =>
  Object.keys(shares).length > 1
    ? Object.fromEntries(Object.entries(shares).map(([name, share]) => [lossShare(name), share]))
    : {};

const scalarSpec = { shape: [], dtype: 'float32' } as const;

function withScalars(batch: FeedBatch, scalars: Readonly<Record<string, number>>): FeedBatch {
  const tensors = mapValues(scalars, (value) => ({ spec: scalarSpec, data: Float32Array.of(value) }));
  return { ...batch, tensors: { ...batch.tensors, ...tensors } };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  map: (value: T, name: string) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value, name)]));
}
