/** Set C of scores that a ranker left in the logs: which candidate gets which, what has none, and what is refused. */
import { describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { at, buildFrom, configOf, type Logs } from '../../test/support/canonicalLogs.js';
import { candidate, messageOf, otherDays, request, shown, together } from '../../test/support/logRows.js';
import { Duckdb } from '../data/duckdb.js';
import type { FileRecord, Manifest } from '../run/manifest.js';
import { silentProgress } from '../run/progress.js';
import { recordFile, Stage } from '../run/stage.js';
import { readTeacherScores } from '../train/teacherScores.js';
import { takeLoggedScores } from './loggedTeacher.js';

/** Two requests with the same items and other scores; in each one candidate that no ranker saw, and one drawn from the corpus. */
const scored = (first: readonly (number | null)[], second: readonly (number | null)[]): Logs =>
  together(otherDays, {
    requests: [request(1, at(1)), request(2, at(1, 60))],
    candidates: [first, second].flatMap((scores, r) => [
      shown(r + 1, 11, { rank_score: scores[0] }),
      shown(r + 1, 12, { rank_score: scores[1] }),
      candidate(r + 1, 13, { rank_score: scores[2], stage_reached: 3 }),
      candidate(r + 1, 14, { rank_score: scores[3] }),
    ]),
    items: [11, 12, 13, 14, 15].map((item) => ({ item_id: item })), // 15 and 900 are there to be drawn
  });

async function take(logs: Logs, loggedScores: Record<string, unknown> = {}) {
  const config = configOf({
    logs: { kind: 'simulate' },
    samples: { b: { one_in: 1, negatives: [{ kind: 'uniform', per_request: 1 }] } },
    features: {
      user: [{ name: 'user', kind: 'id', column: 'users.user_id' }],
      item: [{ name: 'item', kind: 'id', column: 'items.item_id' }],
      sequence: ['item'],
      min_count: 1,
    },
    distill: { teacher: 'logged', logged_scores: loggedScores },
  });
  const built = await buildFrom(logs, config);
  const candidates: FileRecord = await recordFile(
    built.runFolder,
    join(built.runFolder, 'logs/candidates/part-00000.parquet'),
  );
  const upstream = new Map([
    ['logs', { outputs: [candidates] } as unknown as Manifest], // all that a stage asks of a manifest
    ['samples', { outputs: built.stage.outputs } as Manifest],
  ] as const);
  const stage = new Stage('teacher', built.runFolder, config, silentProgress, upstream, []);
  const { lines, data } = await takeLoggedScores(stage, config);
  const db = await Duckdb.open({
    threads: 1,
    memoryLimit: '512MB',
    spillFolder: join(stage.folder, 'spill'),
  });
  const rows = await db.rows(
    `SELECT CAST(item_ids AS INTEGER[]) AS items, teacher_logit, teacher_rank
     FROM read_parquet('${stage.folder}/samples_c/*.parquet') WHERE split = 'train' ORDER BY request_id`,
  );
  await db.close();
  const lists = rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, (value as { items?: unknown[] }).items ?? value]),
    ),
  );
  return { lists, lines, data, stage };
}

describe('set C of logged scores', () => {
  it('gives each candidate the score of its own request, ranks what has one, and leaves null to the rest', async () => {
    const { lists, lines, data, stage } = await take(scored([0.5, -1, 2, null], [3, null, -0.25, null]));
    expect(lists).toEqual([
      {
        items: [11, 12, 13, 14, 15],
        teacher_logit: [0.5, -1, 2, null, null],
        teacher_rank: [2, 3, 1, null, null],
      },
      {
        items: [11, 12, 13, 14, 900],
        teacher_logit: [3, null, -0.25, null, null],
        teacher_rank: [1, null, 2, null, null],
      },
    ]);
    const { logit, rank } = readTeacherScores(join(stage.folder, 'encoded/b/part-00000.arrow'));
    expect([...logit]).toEqual([0.5, -1, 2, NaN, NaN, 3, NaN, -0.25, NaN, NaN]);
    expect([...rank]).toEqual([2, 3, 1, 0, 0, 1, 0, 2, 0, 0]);
    expect(lines).toContain('set B train: rank_score of 5 of 10 candidates, 50.0 %');
    expect(data).toMatchObject({
      scored: { 'b train': { candidates: 10, scored: 5 }, 'a test': { scored: 0 } },
    });
    expect(stage.outputs.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['teacher/encoded/a/part-00001.arrow', 'teacher/encoded/a/part-00002.arrow']),
    );
  });

  it('turns probabilities into log-odds, the surest of them into those at which the tutor loss clips', async () => {
    const { lists } = await take(scored([0.75, 0, 1, null], [0.5, null, null, null]), {
      unit: 'probability',
    });
    const [[three, low, high], [even]] = lists.map((row) => row.teacher_logit as number[]) as [
      number[],
      number[],
    ];
    expect(three).toBeCloseTo(Math.log(3), 6);
    expect(low).toBeCloseTo(-13.8155, 4);
    expect(high).toBeCloseTo(13.8155, 4);
    expect(even).toBe(0);
  });

  it('notes scores that look like probabilities', async () => {
    const { lines } = await take(scored([0.5, 0.1, 0.9, null], [0.2, null, 0.4, null]));
    expect(lines.at(-1)).toMatch(/^note: all scores of rank_score lie from 0 to 1; .*unit: probability$/);
  });
});

describe('logged scores are refused', () => {
  it('where one is no number', async () => {
    expect(await messageOf(take(scored([0.5, NaN, 2, null], [3, Infinity, 1, null])))).toMatchInlineSnapshot(`
      "error  data.bad_score  candidates  rank_score
             2 scores of 6 in \`rank_score\` are no finite number; for example request_id 1, item_id 12: nan.
             Write null where there is no score."
    `);
  });

  it('where one is no probability', async () => {
    const work = take(scored([0.5, 1.5, 0.2, null], [0.3, 0.1, 1, null]), { unit: 'probability' });
    expect(await messageOf(work)).toMatchInlineSnapshot(`
      "error  data.bad_score  candidates  rank_score
             1 score of 6 in \`rank_score\` is no probability; for example request_id 1, item_id 12: 1.5.
             Set distill.logged_scores.unit: logit where scores are log-odds, and write null where there is none."
    `);
  });

  it('where there are none', async () => {
    const work = take(scored([1, 2, 3, 4], [1, 2, 3, 4]), { column: 'teacher_logit' });
    expect(await messageOf(work)).toMatchInlineSnapshot(`
      "error  data.no_scores  candidates  teacher_logit
             No candidate of set B has a score: \`teacher_logit\` is null for all 10 of its training days.
             Map your column with logs.candidates.columns: { teacher_logit: <your column> }, name another with distill.logged_scores.column, or let a teacher be trained: distill.teacher: frozen."
    `);
  });
});
