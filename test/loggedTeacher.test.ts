/** Teaching by logged scores through the whole chain: those that the simulated ranker left, and those of a ranker that scored all. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { MetricRow } from '../src/metrics/metricRow.js';
import type { Verdict } from '../src/metrics/verdict.js';
import { Duckdb } from '../src/data/duckdb.js';
import { bytesOf, filesOf, newFolder, program, root, sets, smallChain } from './support/program.js';

interface Evaluated {
  readonly verdict: Verdict;
  readonly metrics: readonly MetricRow[];
}

const folder = newFolder('logged');
const simulated = join(folder, 'simulated');
const student = sets({
  'distill.rivals': '[]',
  'distill.student.kind': 'tangent',
  'distill.student.codes': 16,
});
const logged = [...student, ...sets({ 'distill.teacher': 'logged' })];

let db: Duckdb;
beforeAll(async () => {
  db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: join(folder, 'spill') });
});

const evaluated = async (args: readonly string[]): Promise<Evaluated> =>
  JSON.parse((await program(['eval', ...args, '--json'])).out) as Evaluated;

const testRows = ({ metrics }: Evaluated, model: string, set: string) =>
  metrics.filter((row) => row.model === model && row.set === set && row.split === 'test');

it('the simulated ranker teaches by what it scored, and is not measured, as it did not score every exposure', async () => {
  const args = [...smallChain, ...logged, '--run', simulated];
  const trained = await program(['train', ...args]);
  expect(trained.code, trained.err).toBe(0);
  expect(trained.out).toMatch(
    /the logs have no teacher score for \d of [\d,]+ exposures on test days, so no gap is stated\.\n$/,
  );
  expect(filesOf(simulated)).not.toContain('teacher/teacher.safetensors');
  expect(trained.err).toMatch(/student_tangent: .* tutor \d/);

  const [faults] = await db.rows(`
    WITH taught AS (
      SELECT request_id, unnest(item_ids) AS item_id, unnest(teacher_logit) AS logit, unnest(teacher_rank) AS rank
      FROM read_parquet('${simulated}/teacher/samples_c/*.parquet')
    )
    SELECT count(*) AS candidates, count(logit) AS scored,
           count(*) FILTER (logit IS DISTINCT FROM rank_score) AS other_scores,
           count(*) FILTER ((logit IS NULL) <> (rank IS NULL)) AS other_ranks
    FROM taught LEFT JOIN read_parquet('${simulated}/logs/candidates/*.parquet') AS candidates USING (request_id, item_id)`);
  const { candidates, scored, other_scores: otherScores, other_ranks: otherRanks } = faults!;
  expect([Number(otherScores), Number(otherRanks)]).toEqual([0, 0]);
  expect(Number(scored) / Number(candidates)).toBeGreaterThan(0.4);
  expect(Number(scored)).toBeLessThan(Number(candidates));

  const result = await evaluated(args);
  expect(result.metrics.filter(({ model }) => model === 'teacher')).toEqual([]);
  expect(result.metrics.filter(({ metric }) => metric.startsWith('teacher_'))).toEqual([]);
  expect(result.verdict.facts).toMatchObject({ teacher: null, gap: null, closed: { value: null } });
  expect(readFileSync(join(simulated, 'eval/report.html'), 'utf8')).toMatch(
    /the ranker of the logs, by the scores that it left there; not measured where a candidate has none/,
  );

  const before = bytesOf(simulated);
  await program(['teacher', ...args, '--force']);
  expect(bytesOf(simulated)).toEqual(before);
  const { out } = await program(['train', ...smallChain, ...student, '--run', simulated, '--dry-run']);
  expect(out).toMatch(/codebook +skip/);
  expect(out).toMatch(/teacher +run/);
});

it('a ranker that scored everything is the teacher: measured on exposures, and the gap is stated', async () => {
  const source = join(folder, 'tables');
  mkdirSync(source);
  const table = (name: string) => `read_parquet('${simulated}/logs/${name}/*.parquet')`;
  const write = (name: string, query: string) =>
    db.run(`COPY (${query}) TO '${join(source, `${name}.parquet`)}' (FORMAT parquet)`);
  for (const name of ['requests', 'feedback', 'behaviours', 'items', 'users'])
    await write(name, `FROM ${table(name)}`);
  await write(
    'candidates',
    `SELECT candidates.* EXCLUDE (teacher_logit), click_probability AS pctr
     FROM ${table('candidates')} AS candidates JOIN ${table('truth')} AS truth USING (request_id, item_id)`,
  );
  const tables = ['requests', 'feedback', 'behaviours', 'items', 'users'].map(
    (name) => `  ${name}: { path: ${name}.parquet }`,
  );
  const config = join(folder, 'tables.yaml');
  const quickstart = readFileSync(join(root, 'configs/quickstart.yaml'), 'utf8');
  writeFileSync(
    config,
    quickstart.replace(
      /^ {2}kind: simulate.*$/m,
      [
        '  kind: tables',
        '  source: tables',
        ...tables,
        '  candidates: { path: candidates.parquet, columns: { teacher_logit: pctr } }',
      ].join('\n'),
    ),
  );
  const sizes = smallChain
    .filter((arg) => /^(teacher|distill|codebook|eval|training)\./.test(arg))
    .flatMap((arg) => ['--set', arg]);
  const args = [
    ...['--config', config, ...sizes, ...logged],
    ...sets({ 'distill.logged_scores.column': 'teacher_logit', 'distill.logged_scores.unit': 'probability' }),
    ...['--run', join(folder, 'own')],
  ];
  const trained = await program(['train', ...args]);
  expect(trained.code, trained.err).toBe(0);

  const result = await evaluated(args);
  const aucOf = (model: string) =>
    testRows(result, model, 'a').find(({ metric, slice }) => metric === 'auc' && slice === 'all')!.value!;
  expect(aucOf('teacher')).toBeGreaterThan(aucOf('student'));
  expect(result.verdict.facts.teacher).toBe(aucOf('teacher'));
  expect(result.verdict.sentence).toContain('the teacher');
  expect(testRows(result, 'student', 'a').map(({ metric }) => metric)).toContain('teacher_recall@1');
  // Nobody scored what was drawn from the corpus.
  expect(testRows(result, 'teacher', 'b')).toEqual([]);
  const [kept] = await db.rows(`
    SELECT count(teacher) FILTER (set = 'a') AS a, count(*) FILTER (set = 'a') AS all_a, count(teacher) FILTER (set = 'b') AS b
    FROM read_parquet('${join(folder, 'own')}/eval/scores/*.parquet')`);
  expect(kept!.a).toEqual(kept!.all_a);
  expect(Number(kept!.b)).toBe(0);
});
