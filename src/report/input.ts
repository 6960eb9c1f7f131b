/** What a report is made of: plain data, without wall-clock times, so that the same run gives the same bytes. */
import type { Estimate } from '../metrics/bootstrap.js';
import type { CalibrationBin } from '../metrics/calibration.js';
import type { MetricRow, ModelName } from '../metrics/metricRow.js';
import type { Verdict } from '../metrics/verdict.js';

export interface ReportInput {
  /** Name of the run. */
  readonly run: string;
  /** The data in a few words: `kuairand`, `simulate`. */
  readonly data: string;
  readonly seed: number;
  /** Kind of the student: `tarq`. */
  readonly student: string;
  /** What the teacher is and where it is not measured, where it is the ranker of the logs. */
  readonly loggedTeacher?: string;
  readonly samples: readonly SampleCount[];
  readonly verdict: Verdict;
  /** Rows of split `test`; those with a slice other than `all` fill the slices table. */
  readonly metrics: readonly MetricRow[];
  /** Paired differences to the two-tower on test days. */
  readonly differences: readonly Difference[];
  /** Calibration on set A, test days. */
  readonly calibration: readonly { readonly model: ModelName; readonly bins: readonly CalibrationBin[] }[];
  readonly epochs: readonly EpochPoint[];
  readonly losses: readonly LossPoint[];
  readonly codebook: readonly CodebookLevel[];
  /** The resolved config as YAML. */
  readonly settings: string;
  /** How long each stage took. Left out by default: with it, the bytes differ from run to run. */
  readonly durations?: readonly { readonly stage: string; readonly took: string }[];
}

/** Size of one set and split. */
export interface SampleCount {
  readonly set: 'a' | 'b' | 'c';
  readonly split: 'train' | 'validation' | 'test';
  readonly from: string;
  readonly to: string;
  readonly requests: number;
  readonly candidates: number;
  readonly positives: number;
}

/** model − two_tower, on the same resamples. */
export interface Difference extends Estimate {
  readonly model: ModelName;
  readonly set: 'a' | 'b' | 'c';
  readonly metric: string;
}

export interface EpochPoint {
  readonly model: ModelName;
  /** In epochs, a fraction where validation came in between. */
  readonly epoch: number;
  readonly validationAuc: number;
}

/** One loss term of one step, from `training_log`. */
export interface LossPoint {
  readonly model: ModelName;
  readonly term: string;
  readonly step: number;
  readonly value: number;
}

/** Health of one level over the whole catalogue (tarq.md 2.7). */
export interface CodebookLevel {
  readonly level: number;
  readonly codes: number;
  /** Share of the codes that some item has. */
  readonly usage: number;
  /** The highest usage that so many items could reach. */
  readonly ceiling: number;
  readonly perplexity: number;
  /** Share of items beyond the first of each tuple of codes up to this level. */
  readonly collisions: number;
  /** Error after this level relative to the variance of what is quantised. */
  readonly relativeError: number;
}
