/** Rows of canonical tables in a few words, and what came of them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../../src/errors.js';
import { at, dayOf, type Built, type Logs, type Row } from './canonicalLogs.js';

export const request = (id: number, ts: number, user = 1, more: Row = {}): Row => ({
  request_id: id,
  request_ts: ts,
  user_id: user,
  dt: dayOf(ts),
  ...more,
});

export const candidate = (requestId: number, itemId: number, more: Row = {}): Row => ({
  request_id: requestId,
  item_id: itemId,
  dt: '',
  exposed: false,
  stage_reached: 1,
  ...more,
});

export const shown = (requestId: number, itemId: number, more: Row = {}): Row =>
  candidate(requestId, itemId, { stage_reached: 6, exposed: true, ...more });

export const feedback = (requestId: number, itemId: number, more: Row): Row => ({
  request_id: requestId,
  item_id: itemId,
  dt: '',
  ...more,
});

export const event = (user: number, item: number, ts: number, more: Row = {}): Row => ({
  user_id: user,
  item_id: item,
  event_ts: ts,
  event_type: 1,
  ...more,
});

/** One request on the days of validation and of test each, so that no split is empty; they show item 900 to user 900. */
export const otherDays: Logs = {
  requests: [2, 3].map((day) => request(90_000 + day, at(day), 900)),
  candidates: [2, 3].map((day) => shown(90_000 + day, 900)),
  items: [{ item_id: 900 }],
};

export function together(a: Logs, b: Logs): Logs {
  const tables = ['requests', 'candidates', 'feedback', 'behaviours', 'items', 'users'] as const;
  return Object.fromEntries(tables.map((table) => [table, [...(a[table] ?? []), ...(b[table] ?? [])]]));
}

/** The row of one request, as plain numbers. */
export async function sample(built: Built, set: 'samples_a' | 'samples_b', requestId: number) {
  const [row] = await built.rows(set, `SELECT * FROM t WHERE request_id = ${requestId}`);
  return row && { ...row, item_ids: (row.item_ids as bigint[]).map(Number) };
}

/** Every file that the stage wrote, by name. */
export async function filesOf(built: Built): Promise<Map<string, Buffer>> {
  const entries = await readdir(built.stage.folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(
    paths
      .toSorted()
      .map(async (path) => [path.slice(built.stage.folder.length + 1), await readFile(path)] as const),
  );
  return new Map(contents);
}

export const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => describeError(error),
  );
