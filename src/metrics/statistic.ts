/**
 * A metric made ready for one model's scores, so that the point value and all bootstrap resamples come from the same code: what
 * does not change from one resample to the next is sorted and summed before.
 */

/** [user] how often each user counts; all ones = the set itself. */
export type Times = Uint32Array;

export interface Statistic {
  /** Rows or groups that entered. */
  readonly n: number;
  /** Groups (users or requests) that could not enter: one class, no positive, too short. */
  readonly leftOut: number;
  /** Whether resampling says how sure the value is. Not so for sums of absolute values: noise only ever adds to them. */
  readonly hasInterval: boolean;
  /** The metric when user u counts times[u] times; null where it is undefined. */
  value(times: Times): number | null;
}

/** Every user once. */
export const once = (users: number): Times => new Uint32Array(users).fill(1);

/** Σ_u times·numerator / Σ_u times·denominator, the form of every mean over rows, requests or users. [user] */
export function ratioOfSums(
  numerator: Float64Array,
  denominator: Float64Array,
  counts: { n: number; leftOut: number },
): Statistic {
  return {
    ...counts,
    hasInterval: true,
    value(times) {
      const below = weightedSum(denominator, times);
      return below === 0 ? null : weightedSum(numerator, times) / below;
    },
  };
}

/**
 * The plain mean of a value per request; NaN marks a request that is left out.
 * ofRequest: [request]; user: [request].
 */
export function meanOverRequests(ofRequest: Float64Array, user: Int32Array, users: number): Statistic {
  const sums = new Float64Array(users);
  const counts = new Float64Array(users);
  let n = 0;
  for (let r = 0; r < ofRequest.length; r++) {
    if (Number.isNaN(ofRequest[r]!)) continue;
    sums[user[r]!]! += ofRequest[r]!;
    counts[user[r]!]!++;
    n++;
  }
  return ratioOfSums(sums, counts, { n, leftOut: ofRequest.length - n });
}

/** Σ_u times_u · sums_u */
export function weightedSum(sums: Float64Array, times: Times): number {
  let total = 0;
  for (let u = 0; u < sums.length; u++) total += times[u]! * sums[u]!;
  return total;
}
