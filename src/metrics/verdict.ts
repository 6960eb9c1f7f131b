/**
 * What the numbers say, in one sentence and as facts. By AUC on set A, test days:
 *   1. is the student above its own two-tower? (paired interval above, across or below 0)
 *   2. which simple rival is best? A gap that a mere count table closes is not the student's merit.
 *   3. is the teacher above that rival? If its paired interval does not lie above 0 there is no gap, and a share of it would be
 *      noise over noise: none is given. Else the share of the gap that the student closes.
 * Source: reference-experiments.md §2 (why no share is given on KuaiRand), tangent-codes.md §1 (why the best simple rival).
 */
import type { Estimate } from './bootstrap.js';
import type { Measured, Measurements } from './measure.js';
import type { MetricPlace, MetricRow, ModelName } from './metricRow.js';
import { bracket, decimals, percent } from './numbers.js';
import { gapClosed, pairedDifference } from './paired.js';

/** What needs neither attention nor codes; the two-tower is the baseline and a rival too. */
const simpleRivals = [
  'two_tower',
  'two_tower_cosine',
  'two_tower_cosine_recency',
  'match_count',
] as const satisfies readonly ModelName[];

/** Where a paired interval lies; `unjudged` = there is none. */
export type Outcome = 'better' | 'level' | 'worse' | 'unjudged';

/** Keys are single words: they are printed as JSON as they stand. */
export interface VerdictFacts {
  readonly metric: 'auc';
  /** The student against its two-tower. */
  readonly outcome: Outcome;
  readonly student: number | null;
  readonly baseline: {
    readonly model: ModelName;
    readonly value: number | null;
    readonly difference: Estimate;
  };
  /** The best simple rival; `difference` is student − rival. */
  readonly rival: { readonly model: ModelName; readonly value: number | null; readonly difference: Estimate };
  readonly teacher: number | null;
  /** teacher − best rival; null without a teacher. */
  readonly gap: (Estimate & { readonly open: boolean }) | null;
  /** Share of the gap that the student closes; null values where there is no gap. */
  readonly closed: Estimate;
}

export interface Verdict {
  readonly sentence: string;
  readonly facts: VerdictFacts;
}

/**
 * `measured`: set A, test split, all slices; with `student` and `two_tower` at least. `advice`: for a student below its two-tower;
 * `noTeacher`: why there is no teacher, where there is none.
 */
export function verdict(measured: Measurements, advice: string, noTeacher = 'there is no teacher'): Verdict {
  const student = measured.of('student', 'auc');
  const baseline = measured.of('two_tower', 'auc');
  const teacher = measured.find('teacher', 'auc');
  const rival = simpleRivals
    .flatMap((model) => measured.find(model, 'auc') ?? [])
    .reduce((best, other) => ((other.value ?? 0) > (best.value ?? 0) ? other : best), baseline);

  const gap = teacher ? pairedDifference(teacher, rival) : null;
  const isOpen = gap !== null && outcomeOf(gap) === 'better';
  const against = (other: Measured) => ({
    model: other.model,
    value: other.value,
    difference: pairedDifference(student, other),
  });
  const facts: VerdictFacts = {
    metric: 'auc',
    outcome: outcomeOf(pairedDifference(student, baseline)),
    student: student.value,
    baseline: against(baseline),
    rival: against(rival),
    teacher: teacher?.value ?? null,
    gap: gap && { ...gap, open: isOpen },
    closed: teacher && isOpen ? gapClosed(student, rival, teacher) : { value: null, low: null, high: null },
  };
  return { sentence: sentenceOf(facts, advice, noTeacher), facts };
}

/** The row `gap_closed` of the `metrics` table; its value is null where there is no gap. */
export function gapClosedRow({ closed }: VerdictFacts, place: MetricPlace, n: number): MetricRow {
  return { model: 'student', ...place, metric: 'gap_closed', ...closed, n };
}

export function outcomeOf({ low, high }: Estimate): Outcome {
  if (low === null || high === null) return 'unjudged';
  if (low > 0) return 'better';
  return high < 0 ? 'worse' : 'level';
}

// --------------------------------------------------------------------------------------------------------------- words

function sentenceOf(facts: VerdictFacts, advice: string, noTeacher: string): string {
  const { baseline, student, outcome, gap } = facts;
  if (student === null || baseline.value === null) {
    return 'No verdict: the AUC on test days is undefined, since all rows are of one class.';
  }
  const against = againstBaseline(outcome, student, baseline.value, baseline.difference);
  if (outcome === 'unjudged') {
    return `No verdict: ${against}; there is no interval (eval.bootstrap is 0, or there is one user only).`;
  }
  if (gap === null) return `${capital(against)}${belowRival(facts)}; ${noTeacher}, so no gap is stated.`;
  if (gap.open) return `${capital(against)}${aboutOpenGap(facts, advice)}.`;
  const noGap = `the teacher ${auc(facts.teacher)} is not above the best simple rival (${rivalOf(facts)}, difference ${estimate(gap)})`;
  return outcome === 'worse'
    ? `${against}, and there is no gap to close: ${noGap}; ship ${facts.rival.model}.`
    : `No gap: on this data ${noGap}; ${against}${belowRival(facts)}.`;
}

function againstBaseline(outcome: Outcome, student: number, rival: number, difference: Estimate): string {
  switch (outcome) {
    case 'better':
      return `student ${auc(student)} beats the two-tower ${auc(rival)} by ${estimate(difference)} on test days`;
    case 'level':
      return `student ${auc(student)} is level with the two-tower ${auc(rival)} (difference ${estimate(difference)}) on test days`;
    case 'worse':
      return `WORSE: the student ${auc(student)} is below its own two-tower ${auc(rival)} by ${estimate(negated(difference))} on test days`;
    case 'unjudged':
      return `student ${auc(student)}, two-tower ${auc(rival)} on test days, difference ${estimate(difference)}`;
  }
}

function aboutOpenGap(facts: VerdictFacts, advice: string): string {
  const { teacher, closed, outcome } = facts;
  const gap = `the gap between the best simple rival (${rivalOf(facts)}) and the teacher ${auc(teacher)}`;
  if (outcome === 'worse') {
    return `, and closes none of ${gap}; ${advice}`;
  }
  const below = belowRival(facts);
  if (below !== '') return `${below}: it closes none of ${gap}`;
  return ` and closes ${percent(closed.value ?? 0)} %${bracket(closed, percent)} of ${gap}`;
}

/** Says so where the student beats its two-tower and yet is surely below a simpler model. */
function belowRival({ rival, outcome }: VerdictFacts): string {
  if (outcome === 'worse' || outcomeOf(rival.difference) !== 'worse') return '';
  return `, but is below ${rival.model} by ${estimate(negated(rival.difference))}`;
}

const auc = (value: number | null) => (value === null ? '(undefined)' : decimals(value));
const rivalOf = ({ rival }: VerdictFacts) => `${rival.model} ${auc(rival.value)}`;
const estimate = (e: Estimate) => (e.value === null ? '(undefined)' : `${decimals(e.value)}${bracket(e)}`);
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function negated({ value, low, high }: Estimate): Estimate {
  const minus = (x: number | null) => (x === null ? null : -x);
  return { value: minus(value), low: minus(high), high: minus(low) };
}
