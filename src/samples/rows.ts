/**
 * The long rows that both sets end in: one row per request and candidate, the request's columns repeated, in a total order. Words
 * are numbers here; they become words when the rows are grouped.
 */
import type { Schema } from '../data/columns.js';

/** What a candidate with label 0 is; logged kinds first, drawn kinds from `firstDrawn` on. */
export const negativeKinds = {
  none: 0,
  shown_not_clicked: 1,
  ranked_not_shown: 2,
  cut_by_preranker: 3,
  uniform: 4,
  popularity: 5,
} as const;

/** The word of each number; nothing for a positive. */
export const negativeKindWords: readonly string[] = Object.keys(negativeKinds).map((word) =>
  word === 'none' ? '' : word,
);

const firstDrawn = negativeKinds.uniform;

export const longRow = {
  split: 'TINYINT',
  request_id: 'BIGINT',
  user_id: 'BIGINT',
  ts: 'BIGINT',
  dt: 'VARCHAR',
  n_behaviours: 'INTEGER',
  item_id: 'BIGINT',
  label: 'TINYINT',
  exposed: 'BOOLEAN',
  stage: 'TINYINT',
  negative_kind: 'TINYINT',
  weight: 'FLOAT',
  incl_prob: 'FLOAT',
  draw_prob: 'FLOAT',
} as const satisfies Schema;

/** Casts to the types of `longRow`, ordered by split, request, logged before drawn, item: unique, as no draw is a candidate. */
export function inOrder(query: string): string {
  const columns = Object.entries(longRow).map(([name, type]) =>
    name === 'dt' ? name : `CAST(${name} AS ${type === 'INTEGER' ? 'INT' : type}) AS ${name}`,
  );
  return `
    SELECT ${columns.join(', ')}
    FROM (${query}) long
    ORDER BY split, request_id, CASE WHEN negative_kind >= ${firstDrawn} THEN 1 ELSE 0 END, item_id`;
}
