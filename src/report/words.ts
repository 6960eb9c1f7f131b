/** How models and metrics are called, explained and drawn in a report. */
import type { ModelName } from '../metrics/metricRow.js';
import { decimals } from '../metrics/numbers.js';

interface ModelWords {
  readonly label: string;
  readonly what: string;
  /** Of the palette by Okabe and Ito, which most colour-blind readers can tell apart; the same in every chart. */
  readonly colour: string;
}

export const modelWords: Readonly<Record<ModelName, ModelWords>> = {
  two_tower: {
    label: 'Two-tower',
    what: 'baseline: mean of the sequence, two vectors, their scaled cosine',
    colour: '#d55e00',
  },
  two_tower_cosine: {
    label: 'Two-tower, cosine',
    what: 'with the cosine of raw behaviours and candidate added',
    colour: '#b8860b',
  },
  two_tower_cosine_recency: {
    label: 'Two-tower, cosine + recency',
    what: 'the same, with recent behaviours weighing more',
    colour: '#aa5599',
  },
  match_count: {
    label: 'Match count',
    what: "with how often the candidate's values occur in the sequence added",
    colour: '#009e73',
  },
  student: {
    label: 'Student',
    what: 'the pre-ranker that the config selects',
    colour: '#0060a8',
  },
  student_tarq: {
    label: 'Student, TARQ',
    what: 'target attention by residual codes',
    colour: '#56b4e9',
  },
  student_prefix: {
    label: 'Student, prefix',
    what: 'target attention by prefixes of codes',
    colour: '#7a8fd0',
  },
  student_tangent: {
    label: 'Student, tangent',
    what: 'target attention by one code and a tangent',
    colour: '#3c8d9e',
  },
  teacher: {
    label: 'Teacher',
    what: 'target-attention ranker: too slow to pre-rank, the mark to reach',
    colour: '#444444',
  },
};

export interface MetricWords {
  readonly label: string;
  /** One line of the glossary. */
  readonly what: string;
  readonly lowerIsBetter: boolean;
  /** Why there is no value where there is none. */
  readonly missing: string;
}

const metricWords: Readonly<Record<string, MetricWords>> = {
  auc: {
    label: 'AUC',
    what: 'how likely a positive scores above a negative, over all rows; .5 is chance',
    lowerIsBetter: false,
    missing: 'all rows are of one class',
  },
  gauc: {
    label: 'GAUC',
    what: 'the same within each user, weighted by rows; users with one class are left out',
    lowerIsBetter: false,
    missing: 'no user has both classes',
  },
  request_auc: {
    label: 'Request AUC',
    what: 'the same within each request, weighted by rows; requests with one class are left out',
    lowerIsBetter: false,
    missing: 'no request has both classes',
  },
  logloss: {
    label: 'Logloss',
    what: 'mean of −log of the probability given to what happened',
    lowerIsBetter: true,
    missing: 'there are no rows',
  },
  ece: {
    label: 'Calibration error',
    what: 'mean distance of the prediction and the share of positives in 20 bins of equal size (ECE); no interval, since noise only adds to it',
    lowerIsBetter: true,
    missing: 'there are no rows',
  },
  ndcg: {
    label: 'NDCG',
    what: 'how near the top of a request its positives stand; 1 is the best order',
    lowerIsBetter: false,
    missing: 'no request with two candidates has a positive',
  },
  recall: {
    label: 'Recall',
    what: 'share of a request’s positives among its first k',
    lowerIsBetter: false,
    missing: 'no request with two candidates has a positive',
  },
  teacher_recall: {
    label: 'Teacher recall',
    what: 'share of the teacher’s picks among the first k; requests with no more than k candidates are left out',
    lowerIsBetter: false,
    missing: 'no request has more than k candidates, or the set has no teacher scores',
  },
};

/** The words of a metric by its name in the `metrics` table, such as `recall@5`. */
export function wordsOf(metric: string): MetricWords {
  const [name = metric, k] = metric.split('@');
  const words = metricWords[name] ?? {
    label: name,
    what: '',
    lowerIsBetter: false,
    missing: 'undefined on these rows',
  };
  return k === undefined ? words : { ...words, label: `${words.label}@${k}` };
}

/** With a true minus sign. */
export const minus = (text: string): string => text.replace('-', '−');

/** A difference: `+.0311`, `−.0006`. */
export function signed(value: number): string {
  const text = decimals(value);
  return text.startsWith('-') || !/[1-9]/.test(text) ? minus(text) : `+${text}`;
}
