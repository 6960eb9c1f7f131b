/** What the SQL of this room is made from and made into. */
import type { SamplesConfig } from '../config/config.js';
import type { TableName } from '../logs/tables.js';

export interface ScriptSettings extends SamplesConfig {
  readonly seed: number;
}

/** Files of the canonical tables that samples are built from. */
export type LogFiles = Readonly<Record<Exclude<TableName, 'users'>, readonly string[]>>;

/** First days of validation and test, like 2022-05-06. */
export interface SplitDays {
  readonly validationFrom: string;
  readonly testFrom: string;
}

/** A named query. */
export interface View {
  readonly name: string;
  readonly query: string;
  /** Computed once, because several others read it. */
  readonly once?: boolean;
  /** Its rows lie in this order where they lie in a file: ranges of the first column are read, chunk by chunk. */
  readonly order?: readonly string[];
  /** The same rows range by range, for an engine that should not hold what the whole log takes to compute. */
  readonly inRanges?: { readonly of: RangeOf; readonly query: (range: Range) => string };
}

/** What ranges are of: requests by their ids, or users with all that they did. */
export type RangeOf = 'requests' | 'users';

/** Ids from `low` up to `high` and without it; open where there is none. */
export interface Range {
  readonly low?: bigint;
  readonly high?: bigint;
}

/** The condition that an id lies in a range; always true without one. */
export function within(range: Range | undefined, id: string): string {
  const bounds = [
    ...(range?.low === undefined ? [] : [`${id} >= ${range.low}`]),
    ...(range?.high === undefined ? [] : [`${id} < ${range.high}`]),
  ];
  return bounds.length === 0 ? 'TRUE' : bounds.join(' AND ');
}

/** A view that is computed once, range by range where that is asked for. */
export const onceInRanges = (
  name: string,
  of: RangeOf,
  order: readonly string[],
  query: (range?: Range) => string,
): View => ({ name, query: query(), once: true, order, inRanges: { of, query } });
