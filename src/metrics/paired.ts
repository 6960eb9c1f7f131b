/** Two or three models against each other on the same resamples of users: what they share cancels. */
import { percentileInterval, type Estimate } from './bootstrap.js';
import type { Measured } from './measure.js';

/** a − b, paired. */
export function pairedDifference(a: Measured, b: Measured): Estimate {
  return {
    value: a.value === null || b.value === null ? null : a.value - b.value,
    ...percentileInterval(a.draws.map((draw, r) => draw - b.draws[r]!)),
  };
}

/**
 * The share of the way from rival to teacher that the student has gone: (student − rival) / (teacher − rival).
 *
 * Meaningless where the teacher is not above the rival: null there, and resamples in which it is not are left out of the interval.
 * Whether there is a gap at all is for verdict.ts to say first.
 */
export function gapClosed(student: Measured, rival: Measured, teacher: Measured): Estimate {
  const share = (s: number, r: number, t: number) => (t > r ? (s - r) / (t - r) : Number.NaN);
  const value = share(student.value ?? Number.NaN, rival.value ?? Number.NaN, teacher.value ?? Number.NaN);
  return {
    value: Number.isNaN(value) ? null : value,
    ...percentileInterval(student.draws.map((s, r) => share(s, rival.draws[r]!, teacher.draws[r]!))),
  };
}
