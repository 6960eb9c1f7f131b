/** One model's scores on a set, sorted once for all its metrics. */
import { CascadeError, internal } from '../errors.js';
import { ascendingOrder, groupedDescending } from './order.js';
import type { Grades, Layout } from './scoredSet.js';

export interface ScoredModel {
  readonly layout: Layout;
  /** [candidate] logits. */
  readonly scores: Grades;
  /** [candidate] all candidates in ascending order of score. */
  readonly ascending: Uint32Array;
}

/** Of a candidate; computed whenever it is asked for, as all of a set's would be 8 bytes a candidate. */
export const probabilityOf = ({ scores }: ScoredModel, candidate: number): number =>
  sigmoid(scores.values[candidate]!);

/** `name` is said when a score is not a finite number. */
export function scoredModel(layout: Layout, logits: Float32Array, name = 'model'): ScoredModel {
  if (logits.length !== layout.candidates) {
    internal(`${name} has ${logits.length} scores for ${layout.candidates} candidates`);
  }
  checkFinite(logits, name);
  const ascending = ascendingOrder(logits);
  return {
    layout,
    scores: {
      values: logits,
      bestFirst: groupedDescending(ascending, layout.requestOf, layout.set.offsets),
    },
    ascending,
  };
}

/** 1 / (1 + e^−x) by the sign of x, so that e^… never overflows. */
export function sigmoid(logit: number): number {
  if (logit >= 0) return 1 / (1 + Math.exp(-logit));
  const e = Math.exp(logit);
  return e / (1 + e);
}

function checkFinite(logits: Float32Array, name: string): void {
  const first = logits.findIndex((logit) => !Number.isFinite(logit));
  if (first < 0) return;
  const bad = logits.reduce((count, logit) => count + (Number.isFinite(logit) ? 0 : 1), 0);
  throw new CascadeError({
    code: 'model.non_finite_score',
    subject: name,
    what: `${name} gives ${bad} of ${logits.length} candidates a score that is not a finite number; the first is ${logits[first]!}, at candidate ${first}.`,
    mend: 'Train it again with a lower training.optimizer.learning_rate or with training.clip_norm: 1.',
  });
}
