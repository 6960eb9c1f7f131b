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
  /** The column that ranges of it are read by, chunk by chunk: its rows lie in this order where they lie in a file. */
  readonly readBy?: 'request_id';
}
