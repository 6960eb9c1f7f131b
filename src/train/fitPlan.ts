/** What a training is asked for and what comes of it. */
import type { TrainingConfig } from '../config/config.js';
import type { BatchNeeds, BlockShape } from '../data/batches.js';
import type { EncodedData } from '../data/encodedData.js';
import type { Device } from '../engine/devices/device.js';
import type { ForwardFunction } from '../engine/forward.js';
import type { LossFunction, TrainedModel } from '../engine/gradients.js';
import type { ModelState } from '../engine/state.js';
import type { Workers } from '../engine/workers/workers.js';
import type { Progress } from '../run/progress.js';
import type { BatchMaker } from './batches/batchMaker.js';
import type { BlockSource, StreamPosition } from './batches/trainingBatches.js';

export interface FitPlan {
  /** Names the training in progress, logs and checkpoints. */
  readonly name: string;
  /** Models that the steps move, with their first values; changed in place. */
  readonly trained: Readonly<Record<string, ModelState>>;
  /** Models that the loss reads. */
  readonly frozen?: Readonly<Record<string, ModelState>>;
  readonly loss: LossFunction;
  readonly needs: BatchNeeds;
  /** Numbers that the loss reads beside the batch, by step (from 1) of all steps of the budget. */
  readonly scalars?: (step: number, steps: number) => Readonly<Record<string, number>>;
  /** Its pass is the epoch. */
  readonly primary: BlockSource;
  readonly secondary?: BlockSource;
  /** Passes over the primary set at most; may end within one. */
  readonly epochs: number;
  /** Passes, or a part of one, that the models have behind them already. */
  readonly epochsBefore?: number;
  /** Work on the models between steps, such as refitting codes. */
  readonly between?: {
    /** Every so many steps; 0 = never. */
    readonly everySteps: number;
    /** And before each validation. */
    readonly atEpochEnds: boolean;
    /** What `run` counts, by the names of the log: 0 there for steps without it. */
    readonly counts: readonly string[];
    run(
      models: Readonly<Record<string, TrainedModel>>,
      step: number,
    ): Promise<Readonly<Record<string, number>>>;
    /** What has the engine work for it, such as on items that are encoded; it is released when training ends. */
    readonly encoder?: {
      readonly engineMs: number;
      readonly compileMs: number;
      release(): Promise<void>;
    };
  };
  /** What else is measured at the end of each epoch, by name; it changes nothing. */
  readonly measure?: {
    of(states: Readonly<Record<string, ModelState>>): Promise<Readonly<Record<string, number>>>;
    /** Lets go of what was compiled for it; called when training ends. */
    release(): Promise<void>;
  };
  /** What early stopping looks at; without it the last state is the result. */
  readonly validation?: {
    /** Forward whose `logits` are scored on set A. */
    readonly score: ForwardFunction;
    readonly shape: BlockShape;
    /** Epochs without a better AUC before training stops. */
    readonly patience: number;
  };
}

export interface FitContext {
  readonly data: EncodedData;
  /** Makes the batches of `data`. */
  readonly batches: BatchMaker;
  readonly seed: number;
  readonly training: TrainingConfig;
  readonly device: Device;
  readonly checkpointFolder: string;
  /** Folder that the batch of a non-finite step is saved to. */
  readonly saveTo: string;
  readonly progress: Progress;
  /** Those who train together; this process alone where they are left out. Blocks of a plan are one worker's. */
  readonly workers?: Workers;
  /** Is given what the result is read from; to be closed when it is not needed any more. */
  readonly closeLater: (file: { close(): void }) => void;
}

/** One validation. */
export interface EpochReport {
  /** Passes over the primary set behind it. */
  readonly epoch: number;
  readonly step: number;
  readonly validationAuc: number | null;
  /** Mean of each loss term over the epoch's steps. */
  readonly terms: Readonly<Record<string, number>>;
  /** What the plan measures beside them. */
  readonly measures: Readonly<Record<string, number>>;
}

/** Per-step values by name: loss terms, loss, gradient_norm, learning_rate; index = step - 1. */
export type TrainingLog = Readonly<Record<string, readonly number[]>>;

export interface FitResult {
  /** The best epoch's states, or the last where nothing was validated. */
  readonly best: Readonly<Record<string, ModelState>>;
  readonly epochs: readonly EpochReport[];
  readonly bestEpoch: EpochReport | null;
  readonly log: TrainingLog;
  readonly steps: number;
  /** Of this process: a training that was cut off before tells nothing of the time until then. */
  readonly time: TrainingTime;
  /** Where the primary and secondary streams stand at the end. */
  readonly position: StreamPosition;
}

export interface TrainingTime {
  /** From the first batch to the end, with validation, checkpoints and whatever is compiled. */
  readonly wallMs: number;
  /** Of it, in the engine: graphs and optimiser, of steps, of the ends of epochs and of the work between steps. */
  readonly engineMs: number;
  /** Making these graphs. */
  readonly compileMs: number;
  /** Work on the models between steps beyond that, such as k-means of a refit. */
  readonly betweenMs: number;
  /** Waiting for the batches of the steps. */
  readonly batchMs: number;
  /** The ends of epochs beyond all that: waiting for batches of the validation, its AUC. */
  readonly validationMs: number;
  /** Writing checkpoints. */
  readonly checkpointMs: number;
}
