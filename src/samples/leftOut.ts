/** Counts what is in no set and why, and refuses what cannot be sampled. */
import type { Duckdb } from '../data/duckdb.js';
import { CascadeError } from '../errors.js';
import { returnFreed, returnGarbage } from '../memory.js';
import { stageReached } from '../logs/tables.js';
import { within, type Range, type ScriptSettings } from './settings.js';
import type { LeftOut } from './summary.js';

/** What set B has of the lists and draws of its chunks so far. */
export class Kept {
  readonly lists = { cut: 0, cut_candidates: 0, candidates_of_cut: 0, over_cap: 0 };
  /** By place in `samples.b.negatives`. */
  readonly drawn: number[];

  constructor(private readonly b: ScriptSettings['b']) {
    this.drawn = b.negatives.map(() => 0);
  }

  /** Counts the chunk that the engine's tables are of. */
  async add(db: Duckdb): Promise<void> {
    const counts = await numbers(
      db,
      `SELECT count(*) FILTER (WHERE n_kept < n_logged) AS cut,
              coalesce(sum(n_logged - n_kept), 0) AS cut_candidates,
              coalesce(sum(n_logged) FILTER (WHERE n_kept < n_logged), 0) AS candidates_of_cut,
              count(*) FILTER (WHERE n_sure > ${this.b.maxCandidates}) AS over_cap
       FROM (
         SELECT request_id, max(n_logged) AS n_logged, max(n_sure) AS n_sure, count(*) AS n_kept
         FROM b_kept GROUP BY request_id
       )`,
    );
    for (const name of Object.keys(this.lists) as (keyof Kept['lists'])[]) this.lists[name] += counts[name]!;
    for (const i of this.drawn.keys()) this.drawn[i]! += await db.number(`SELECT count(*) FROM drawn_${i}`);
  }
}

export async function countLeftOut(
  db: Duckdb,
  { b }: ScriptSettings,
  kept: Kept,
  ranges: readonly Range[],
): Promise<LeftOut> {
  returnGarbage(); // what the sets were encoded from
  const requests = await numbers(
    db,
    `SELECT (SELECT count(*) FROM request_log) AS logged, (SELECT count(*) FROM ready_requests) AS ready,
            (SELECT count(*) FROM b_requests) AS sampled,
            (SELECT count(*) FROM behaviour_log e JOIN request_log r ON r.request_id = e.request_id
             WHERE e.ts < r.ts) AS early_events`,
  );
  returnFreed();
  const rest = { lists: 0, forced: 0 };
  for (const range of ranges) {
    const { lists, forced } = await numbers(
      db,
      `SELECT (SELECT count(*) FROM b_lists WHERE ${within(range, 'request_id')}) AS lists,
              (SELECT count(*) FROM candidate_log c JOIN b_requests r ON r.request_id = c.request_id
               WHERE ${within(range, 'c.request_id')} AND (c.forced OR c.stage < ${stageReached.retrieved})) AS forced`,
    );
    rest.lists += lists!;
    rest.forced += forced!;
    returnFreed();
  }
  return {
    requests: requests.logged!,
    notReady: requests.logged! - requests.ready!,
    shortLists: requests.ready! - rest.lists,
    notSampled: rest.lists - requests.sampled!,
    forced: rest.forced,
    cutLists: kept.lists.cut,
    cutCandidates: kept.lists.cut_candidates,
    candidatesOfCutLists: kept.lists.candidates_of_cut,
    listsOverCap: kept.lists.over_cap,
    eventsBeforeTheirRequest: requests.early_events!,
    missingNegatives: b.negatives.map(({ kind, perRequest }, i) => {
      const asked = requests.sampled! * perRequest;
      return { kind, asked, missing: asked - kept.drawn[i]! };
    }),
  };
}

async function numbers(db: Duckdb, query: string): Promise<Record<string, number>> {
  const [row] = await db.rows(query);
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)]));
}

/** A request with more exposures than the setting allows is not cut: which of them would go is not ours to choose. */
export async function refuseLongExposures(
  db: Duckdb,
  maxCandidates: number,
  ranges: readonly Range[],
): Promise<void> {
  const all = { requests: 0, longest: 0, example: '' };
  for (const range of ranges) {
    const [found] = await db.rows(`
      SELECT count(*) AS requests, max(n) AS longest, min(request_id) AS example
      FROM (
        SELECT request_id, count(*) AS n FROM exposures WHERE ${within(range, 'request_id')}
        GROUP BY request_id HAVING count(*) > ${maxCandidates}
      )`);
    returnFreed();
    if (Number(found?.requests) === 0) continue;
    if (all.requests === 0) all.example = String(found?.example); // ranges ascend: the first of all
    all.requests += Number(found?.requests);
    all.longest = Math.max(all.longest, Number(found?.longest));
  }
  if (all.requests === 0) return;
  throw new CascadeError({
    code: 'data.too_many_exposures',
    where: 'logs/candidates',
    subject: 'exposed',
    what: `${all.requests} requests have more than ${maxCandidates} exposures, the longest ${all.longest}; the first is request ${all.example}.`,
    mend: `Set samples.a.max_candidates to ${all.longest}, or check how exposures were joined to requests.`,
  });
}
