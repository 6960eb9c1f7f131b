/** What the logs stage tells about the tables it wrote: the same facts as lines and as data. */
import type { Duckdb } from '../data/duckdb.js';
import type { StageResult } from '../run/stage.js';
import { counted } from './check.js';
import { eventTypes, retrievalChannels, stageReached, tableNames } from './tables.js';

/** What a source knows beyond its tables. */
export interface SourceFacts {
  readonly duplicatesDropped: number;
  /** Requests that got a simulated list of candidates. */
  readonly simulatedLists: number;
  readonly notes: readonly string[];
}

export async function summarise(db: Duckdb, timeZone: string, facts: SourceFacts): Promise<StageResult> {
  const rows: Record<string, number> = {};
  for (const table of tableNames) rows[table] = await db.number(`SELECT count(*) FROM ${table}`);
  const [days] = await db.rows(
    `SELECT min(dt) AS first, max(dt) AS last, count(DISTINCT dt) AS days FROM requests`,
  );
  const clickRate = await db.number('SELECT avg(click) FROM feedback');
  const coldUsers = await db.number(usersWithoutHistory);
  const stages = await countsBy(db, 'stage_reached', 'candidates', stageReached);
  const channels = await countsBy(db, 'unnest(retrieval_channels)', 'candidates', retrievalChannels);
  const events = await countsBy(db, 'event_type', 'behaviours', eventTypes);
  const forced = await db.number('SELECT count(*) FROM candidates WHERE forced');
  const n = (table: string) => (rows[table] ?? 0).toLocaleString('en-US');

  return {
    lines: [
      `requests    ${n('requests')} on ${String(days?.days)} days, ${String(days?.first)} to ${String(days?.last)} (UTC${timeZone})`,
      `candidates  ${n('candidates')} by furthest stage: ${listed(stages)}${forced > 0 ? `; ${counted(forced, 'item')} forced in` : ''}`,
      `            by channel: ${listed(channels)}`,
      `feedback    ${n('feedback')} exposures, click rate ${(100 * clickRate).toFixed(2)} %`,
      `behaviours  ${n('behaviours')}: ${listed(events)}`,
      `items       ${n('items')}`,
      `users       ${n('users')}; ${coldUsers.toLocaleString('en-US')} without behaviours before their first request`,
      ...(facts.duplicatesDropped > 0
        ? [`dropped     ${counted(facts.duplicatesDropped, 'repeated row')}`]
        : []),
      ...(facts.simulatedLists > 0
        ? [`simulated   candidates for ${counted(facts.simulatedLists, 'request')}`]
        : []),
      ...facts.notes.map((note) => `note        ${note}`),
    ],
    data: {
      rows,
      days: { first: days?.first, last: days?.last, count: Number(days?.days) },
      time_zone: timeZone,
      click_rate: clickRate,
      users_without_history: coldUsers,
      duplicates_dropped: facts.duplicatesDropped,
      simulated_lists: facts.simulatedLists,
      candidates_by_stage: stages,
      candidates_by_channel: channels,
      candidates_forced: forced,
      behaviours_by_type: events,
      notes: facts.notes,
    },
  };
}

/** Users of requests who have done nothing before their first one: for them a sequence is empty at least once. */
const usersWithoutHistory = `
  SELECT count(*) FROM (SELECT user_id, min(request_ts) AS first_ts FROM requests GROUP BY user_id) AS users
  WHERE NOT EXISTS (SELECT 1 FROM behaviours WHERE behaviours.user_id = users.user_id AND event_ts < first_ts)`;

async function countsBy(
  db: Duckdb,
  key: string,
  table: string,
  names: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const rows = await db.rows(
    `SELECT key, count(*) AS n FROM (SELECT ${key} AS key FROM ${table}) WHERE key IS NOT NULL GROUP BY key ORDER BY key`,
  );
  const nameOf = new Map(Object.entries(names).map(([name, number]) => [number, name]));
  return Object.fromEntries(
    rows.map((row) => [nameOf.get(Number(row.key)) ?? String(row.key), Number(row.n)]),
  );
}

const listed = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count.toLocaleString('en-US')}`)
    .join(', ') || 'none';
