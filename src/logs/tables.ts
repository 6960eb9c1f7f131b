/**
 * The canonical tables: what the `logs` stage writes and every later stage reads (sample-construction.md, section 3).
 *
 * Ids are BIGINT, times TIMESTAMP_MS in UTC, `dt` the day in the business time zone of the footer's `time_zone`. Open tables
 * (requests, items, users) carry attributes beside the columns named here: `ctx_*` and `user_*` frozen at request time in
 * requests, any name in items and users.
 */
import type { ColumnType } from '../data/columns.js';

/** Furthest stage of the funnel a candidate survived; the numbers are the contract (section 3.6). */
export const stageReached = {
  corpus: 0,
  retrieved: 1,
  preranked1: 2,
  preranked: 3,
  ranked: 4,
  reranked: 5,
  exposed: 6,
} as const;

/** What a behaviour was. */
export const eventTypes = {
  click: 1,
  long_view: 2,
  like: 3,
  follow: 4,
  comment: 5,
  share: 6,
  hate: 7,
  page_view: 8,
  cart: 9,
  favourite: 10,
  buy: 11,
  exposure: 12,
  rating: 13,
} as const;

/** Channels of the simulated retrieval, as stored in `retrieval_channels`. */
export const retrievalChannels = {
  logged: 0,
  popularity: 1,
  co_occurrence: 2,
  interest: 3,
  category: 4,
} as const;

export interface CanonicalColumn {
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** May be left out of the user's table; it is then null, or this value. */
  readonly optional?: boolean;
  readonly fallback?: number | boolean;
}

export interface CanonicalTable {
  readonly columns: Readonly<Record<string, CanonicalColumn>>;
  /** Columns that identify a row. */
  readonly key: readonly string[];
  /** Total order of the rows in the file. */
  readonly order: readonly string[];
  /** Which further columns may stand beside those named. */
  readonly attributes: 'none' | 'any' | 'ctx_* and user_*';
}

const required = (type: ColumnType): CanonicalColumn => ({ type, nullable: false });
const optional = (type: ColumnType): CanonicalColumn => ({ type, nullable: true, optional: true });
const fallback = (type: ColumnType, value: number | boolean): CanonicalColumn => ({
  type,
  nullable: false,
  optional: true,
  fallback: value,
});

/** `dt` is derived from the request's time where the user's table has none. */
const dt: CanonicalColumn = { type: 'VARCHAR', nullable: false, optional: true };

export const canonicalTables = {
  requests: {
    columns: {
      dt,
      request_id: required('BIGINT'),
      request_ts: required('TIMESTAMP_MS'),
      user_id: required('BIGINT'),
      session_id: optional('BIGINT'),
      scene: fallback('INTEGER', 0),
      n_retrieved: optional('INTEGER'),
      n_preranked: optional('INTEGER'),
      n_ranked: optional('INTEGER'),
      n_exposed: optional('INTEGER'),
      retrieval_version: optional('VARCHAR'),
      prerank_version: optional('VARCHAR'),
      rank_version: optional('VARCHAR'),
      rerank_version: optional('VARCHAR'),
      exploration: fallback('BOOLEAN', false),
    },
    key: ['request_id'],
    order: ['request_id'],
    attributes: 'ctx_* and user_*',
  },
  candidates: {
    columns: {
      dt,
      request_id: required('BIGINT'),
      item_id: required('BIGINT'),
      stage_reached: required('TINYINT'),
      retrieval_channels: optional('SMALLINT[]'),
      retrieval_score: optional('FLOAT'),
      retrieval_rank: optional('INTEGER'),
      prerank_score: optional('FLOAT'),
      prerank_rank: optional('INTEGER'),
      rank_score: optional('FLOAT'),
      rank_rank: optional('INTEGER'),
      rerank_rank: optional('INTEGER'),
      exposed: required('BOOLEAN'),
      expose_pos: optional('SMALLINT'),
      forced: fallback('BOOLEAN', false),
      incl_prob: fallback('FLOAT', 1),
      teacher_logit: optional('FLOAT'),
      teacher_version: optional('VARCHAR'),
      teacher_scored_ts: optional('TIMESTAMP_MS'),
    },
    key: ['request_id', 'item_id'],
    order: ['request_id', 'item_id'],
    attributes: 'none',
  },
  feedback: {
    columns: {
      dt,
      request_id: required('BIGINT'),
      item_id: required('BIGINT'),
      click: fallback('TINYINT', 0),
      long_view: fallback('TINYINT', 0),
      like: fallback('TINYINT', 0),
      follow: fallback('TINYINT', 0),
      share: fallback('TINYINT', 0),
      comment: fallback('TINYINT', 0),
      buy: fallback('TINYINT', 0),
      watch_ms: optional('INTEGER'),
      value: optional('FLOAT'),
      first_event_ts: optional('TIMESTAMP_MS'),
      label_ready_ts: optional('TIMESTAMP_MS'),
    },
    key: ['request_id', 'item_id'],
    order: ['request_id', 'item_id'],
    attributes: 'none',
  },
  behaviours: {
    columns: {
      user_id: required('BIGINT'),
      item_id: required('BIGINT'),
      event_ts: required('TIMESTAMP_MS'),
      event_type: required('SMALLINT'),
      request_id: optional('BIGINT'),
      watch_ms: optional('INTEGER'),
      value: optional('FLOAT'),
      time_is_order_only: fallback('BOOLEAN', false),
    },
    key: [],
    order: [
      'user_id',
      'event_ts',
      'event_type',
      'item_id',
      'request_id',
      'watch_ms',
      'value',
      'time_is_order_only',
    ],
    attributes: 'none',
  },
  items: {
    columns: {
      item_id: required('BIGINT'),
      publish_ts: optional('TIMESTAMP_MS'),
      valid_from: optional('TIMESTAMP_MS'),
      valid_to: optional('TIMESTAMP_MS'),
    },
    key: ['item_id'],
    order: ['item_id'],
    attributes: 'any',
  },
  users: {
    columns: { user_id: required('BIGINT') },
    key: ['user_id'],
    order: ['user_id'],
    attributes: 'any',
  },
} as const satisfies Record<string, CanonicalTable>;

export type TableName = keyof typeof canonicalTables;
export const tableNames = Object.keys(canonicalTables) as TableName[];

/** Version of the canonical tables, written to every footer. */
export const tablesVersion = '1';
