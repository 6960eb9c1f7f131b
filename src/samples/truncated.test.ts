import { beforeAll, describe, expect, it } from 'vitest';
import { at, buildFrom, configOf, type Built, type Logs } from '../../test/support/canonicalLogs.js';
import { candidate, otherDays, request, sample, shown, together } from '../../test/support/logRows.js';
import { randomLogs } from '../../test/support/randomLogs.js';
import { readIndex } from '../data/shards.js';

describe('set B', () => {
  /** 1,200 requests of 60 candidates: 3 exposed, 2 more ranked, 15 cut by the ranker, 40 by the pre-ranker. */
  const long: Logs = together(otherDays, {
    requests: Array.from({ length: 1200 }, (_, i) => request(i + 1, at(1, i), 1 + (i % 9))),
    candidates: Array.from({ length: 1200 * 60 }, (_, i) => {
      const item = 1 + (i % 60);
      const id = 1 + Math.floor(i / 60);
      if (item <= 3) return shown(id, item, { rank_rank: item });
      if (item <= 5) return candidate(id, item, { stage_reached: 4, rank_rank: item });
      return candidate(id, item, item <= 20 ? { stage_reached: 3, rank_rank: item } : { incl_prob: 0.5 });
    }),
  });
  const config = configOf({ samples: { b: { max_candidates: 20, ranked_top: 5, one_in: 2 } } });
  let built: Built;
  beforeAll(async () => {
    built = await buildFrom(long, config);
  });
  const perCandidate = `
    SELECT request_id, unnest(item_ids) AS item_id, unnest(stage) AS stage, unnest(incl_prob) AS incl_prob, unnest(weight) AS weight
    FROM t WHERE split = 'train'`;

  it('keeps exposures and the top of the ranker for sure and draws the rest, 15 of 55', async () => {
    const [row] = await built.rows(
      'samples_b',
      `SELECT count(*) FILTER (WHERE len(item_ids) <> 20) AS wrong,
              count(*) FILTER (WHERE NOT list_has_all(item_ids, [1, 2, 3, 4, 5])) AS without_sure,
              count(DISTINCT item_ids) > count(*) / 2 AS vary
       FROM t WHERE split = 'train'`,
    );
    expect(row).toEqual({ wrong: 0n, without_sure: 0n, vary: true });
    const probabilities = await built.rows(
      'samples_b',
      `SELECT item_id <= 5 AS sure, item_id > 20 AS half_logged, min(incl_prob) AS low, max(incl_prob) AS high, min(weight) AS weight
       FROM (${perCandidate}) GROUP BY ALL ORDER BY ALL`,
    );
    const f = Math.fround;
    expect(probabilities).toEqual([
      { sure: false, half_logged: false, low: f(15 / 55), high: f(15 / 55), weight: f(55 / 15) },
      { sure: false, half_logged: true, low: f(7.5 / 55), high: f(7.5 / 55), weight: f(55 / 7.5) },
      { sure: true, half_logged: false, low: 1, high: 1, weight: 1 },
    ]);
  });

  it('weighs back to the true number of candidates of each stage, within 1 % (11.6, property 6)', async () => {
    const stages = await built.rows(
      'samples_b',
      `SELECT stage, sum(1 / incl_prob) / (SELECT count(*) FROM t WHERE split = 'train') AS per_request
       FROM (${perCandidate}) GROUP BY stage ORDER BY stage`,
    );
    const truth = new Map([
      [1, 80], // 40 logged of 80
      [3, 15],
      [4, 2],
      [6, 3],
    ]);
    expect(stages).toHaveLength(4);
    for (const { stage, per_request } of stages) {
      const expected = truth.get(Number(stage))!;
      expect(Math.abs(Number(per_request) / expected - 1)).toBeLessThan(0.01);
    }
  });

  it('holds one request in so many', async () => {
    const [row] = await built.rows('samples_b', `SELECT count(*) AS n FROM t WHERE split = 'train'`);
    expect(Number(row!.n)).toBeGreaterThan(530); // 600 ± 4 standard deviations
    expect(Number(row!.n)).toBeLessThan(670);
    expect(built.result.data).toMatchObject({
      left_out: { b_not_sampled: 1200 - Number(row!.n), b_cut_lists: Number(row!.n), b_lists_over_cap: 0 },
    });
  });

  it('caps the weight, not the probability', async () => {
    const logs = together(otherDays, {
      requests: [request(1, at(1))],
      candidates: [shown(1, 1), candidate(1, 2, { incl_prob: 0.01 })],
    });
    const capped = await buildFrom(logs, configOf({ samples: { b: { weight_cap: 7 } } }));
    expect(await sample(capped, 'samples_b', 1)).toMatchObject({
      weight: [1, 7],
      incl_prob: [1, Math.fround(0.01)],
    });
  });

  it('keeps all exposures of a list even where they are more than its limit', async () => {
    const logs = together(otherDays, {
      requests: [request(1, at(1))],
      candidates: [1, 2, 3, 4].map((item) => shown(1, item)).concat(candidate(1, 5)),
    });
    const over = await buildFrom(logs, configOf({ samples: { b: { max_candidates: 2 } } }));
    expect(await sample(over, 'samples_b', 1)).toMatchObject({ item_ids: [1, 2, 3, 4] });
    expect(over.result.data).toMatchObject({ left_out: { b_lists_over_cap: 1, b_cut_candidates: 1 } });
  });

  it('may be empty, where the log has exposures alone', async () => {
    const logs = together(otherDays, { requests: [request(1, at(1))], candidates: [shown(1, 1)] });
    const empty = await buildFrom(logs);
    expect(readIndex(empty.path('encoded/index.json'))).toMatchObject({ b: [] });
    expect(empty.result.lines.at(-5)).toMatch(/^set B is empty/);
  });
});

describe('drawn negatives', () => {
  const config = configOf({
    samples: {
      b: {
        negatives: [
          { kind: 'uniform', per_request: 3 },
          { kind: 'popularity', per_request: 3 },
        ],
      },
    },
  });

  it('stand behind the logged candidates, were published, and are no candidate of the request', async () => {
    const logs = randomLogs(3);
    const built = await buildFrom(logs, config);
    const rows = await built.rows(
      'samples_b',
      `SELECT request_id, epoch_ms(request_ts) AS ts, item_ids, negative_kind, stage, weight, incl_prob, draw_prob, label FROM t`,
    );
    const items = new Map(logs.items!.map((item) => [item.item_id, item]));
    const candidates = new Set(
      logs.candidates!.map((row) => `${String(row.request_id)}/${String(row.item_id)}`),
    );
    let drawn = 0;
    for (const row of rows) {
      const kinds = row.negative_kind as (string | null)[];
      const isDrawn = kinds.map((kind) => kind === 'uniform' || kind === 'popularity');
      expect(isDrawn).toEqual(isDrawn.toSorted((a, b) => Number(a) - Number(b)));
      isDrawn.forEach((yes, i) => {
        const cell = (name: string) => (row[name] as unknown[])[i];
        const id = Number(cell('item_ids'));
        expect(cell('draw_prob') === null).toBe(!yes);
        if (!yes) return;
        drawn++;
        const { publish_ts: publish, valid_to: end } = items.get(id)!;
        expect(publish == null || Number(publish) <= Number(row.ts)).toBe(true);
        expect(end == null || Number(end) > Number(row.ts)).toBe(true);
        expect(candidates).not.toContain(`${String(row.request_id)}/${id}`);
        expect(['label', 'stage', 'weight', 'incl_prob'].map(cell)).toEqual([0, 0, 1, 1]);
      });
    }
    expect(drawn).toBeGreaterThan(4 * rows.length);
  });
});
