/** The `metrics` table: one row per model, split, set, slice and metric. */
import type { Schema } from '../data/columns.js';

/** Closed words of the column `model`. */
export const modelNames = [
  'two_tower',
  'two_tower_cosine',
  'two_tower_cosine_recency',
  'match_count',
  'student',
  'student_tarq',
  'student_prefix',
  'student_tangent',
  'teacher',
] as const;
export type ModelName = (typeof modelNames)[number];

export interface MetricPlace {
  readonly split: 'train' | 'validation' | 'test';
  readonly set: 'a' | 'b' | 'c';
  /** `all` or `column=value`. */
  readonly slice: string;
}

export interface MetricRow extends MetricPlace {
  readonly model: ModelName;
  /** auc, gauc, request_auc, logloss, ne, pcoc, ece, ndcg@5 … */
  readonly metric: string;
  /** null = undefined on these rows, never 0. */
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** Rows or groups that entered. */
  readonly n: number;
}

export const metricSchema = {
  model: 'VARCHAR',
  split: 'VARCHAR',
  set: 'VARCHAR',
  slice: 'VARCHAR',
  metric: 'VARCHAR',
  value: 'DOUBLE',
  low: 'DOUBLE',
  high: 'DOUBLE',
  n: 'INTEGER',
} as const satisfies Schema;
