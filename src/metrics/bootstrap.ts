/**
 * How sure a value is: the bootstrap by user. Rows of one user hang together, so users are drawn with replacement, not rows; the
 * 2.5 % and 97.5 % quantiles of the resampled values are the interval. Source: cascade-losses-and-metrics.md §7.
 */
import type { RandomStream } from '../engine/random.js';
import type { Times } from './statistic.js';

/** A value with its 95 % interval; null = undefined, or no interval. */
export interface Estimate {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** Draws resamples of the users one after another. The array is the same each time: read it before the next draw. */
export function* resampledUsers(users: number, resamples: number, stream: RandomStream): Generator<Times> {
  const times = new Uint32Array(users);
  for (let r = 0; r < resamples; r++) {
    times.fill(0);
    for (let i = 0; i < users; i++) times[stream.below(users)]!++;
    yield times;
  }
}

/** The 95 % percentile interval of resampled values; NaN marks a resample in which the value is undefined. */
export function percentileInterval(draws: Float64Array): { low: number | null; high: number | null } {
  const defined = draws.filter((draw) => !Number.isNaN(draw)).sort();
  if (defined.length === 0) return { low: null, high: null };
  return { low: quantile(defined, 0.025), high: quantile(defined, 0.975) };
}

/** Linear between neighbours. */
function quantile(ascending: Float64Array, share: number): number {
  const place = share * (ascending.length - 1);
  const below = Math.floor(place);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!;
  return low + (place - below) * (high - low);
}
