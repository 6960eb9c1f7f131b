/** The whole chain through the real command line, on a simulation small enough to train in seconds. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { MetricRow } from '../src/metrics/metricRow.js';
import type { Verdict } from '../src/metrics/verdict.js';
import { Duckdb } from '../src/data/duckdb.js';
import { RandomStream } from '../src/engine/random.js';
import { bytesOf, filesOf, newFolder, program, smallChain } from './support/program.js';

const run = join(newFolder(), 'run');
const inRun = (folder: string) => [...smallChain, '--run', folder];

interface Evaluation {
  readonly verdict: Verdict;
  readonly metrics: readonly MetricRow[];
}

beforeAll(async () => {
  const { code, err } = await program(['train', ...inRun(run)]);
  if (code !== 0) throw new Error(err);
}, 300_000);

describe('cascade train', () => {
  it('leaves every file that the contracts name', () => {
    const files = filesOf(run);
    for (const file of [
      'run.json',
      'config.yaml',
      ...['requests', 'candidates', 'feedback', 'behaviours', 'items', 'users', 'truth'].map(
        (table) => `logs/${table}/part-00000.parquet`,
      ),
      ...['samples_a', 'samples_b', 'sequences', 'item_freq', 'vocabulary'].map(
        (table) => `samples/${table}/part-00000.parquet`,
      ),
      'samples/transform.json',
      ...['codes', 'codebook', 'health', 'training_log'].map(
        (table) => `codebook/${table}/part-00000.parquet`,
      ),
      'codebook/student.safetensors',
      ...['samples_c', 'training_log', 'validation'].map((table) => `teacher/${table}/part-00000.parquet`),
      'teacher/teacher.safetensors',
      ...['two_tower', 'two_tower_cosine', 'two_tower_cosine_recency', 'match_count', 'student_tarq'].map(
        (model) => `distill/${model}.safetensors`,
      ),
      ...['codes', 'codebook', 'health', 'training_log', 'validation'].map(
        (table) => `distill/${table}/part-00000.parquet`,
      ),
      ...['metrics', 'scores'].map((table) => `eval/${table}/part-00000.parquet`),
      'eval/report.html',
      ...['logs', 'samples', 'codebook', 'teacher', 'distill', 'eval'].map((stage) => `${stage}/stage.json`),
    ]) {
      expect(files, file).toContain(file);
    }
    expect(files.filter((file) => /tmp|checkpoint|started|spill|\.lock/.test(file))).toEqual([]);
  });

  it('skips everything the second time, says why, and still prints the verdict', async () => {
    const before = bytesOf(run);
    const { code, out } = await program(['train', ...inRun(run)]);
    expect(code).toBe(0);
    expect(out.match(/skipped .*nothing changed/g)).toHaveLength(6);
    expect(out.trimEnd().split('\n').at(-1)).toMatch(/student|Student/);
    expect(bytesOf(run)).toEqual(before);
  });

  it('gives the same bytes for the same seed in another folder, and others for another seed', async () => {
    const again = join(newFolder(), 'again');
    await program(['train', ...inRun(again), '--set', 'threads=1']);
    expect(bytesOf(again)).toEqual(bytesOf(run));
    const other = join(newFolder(), 'other');
    await program(['logs', ...inRun(other), '--set', 'seed=2']);
    expect(bytesOf(other)['logs/candidates/part-00000.parquet']).not.toBe(
      bytesOf(run)['logs/candidates/part-00000.parquet'],
    );
  });

  it('goes on after SIGKILL at five random moments, each time by the same command, and ends with the same bytes', async () => {
    const killed = join(newFolder(), 'killed');
    const moments = RandomStream.of(Date.now(), 'moments');
    for (let kills = 0; kills < 5;) {
      const { code } = await program(['train', ...inRun(killed)], 900 + 1300 * moments.uniform());
      if (code === null) kills++;
      else rmSync(join(killed, 'eval'), { recursive: true }); // faster than expected: make it do more
    }
    const { code, err } = await program(['train', ...inRun(killed)]);
    expect(code, err).toBe(0);
    expect(bytesOf(killed)).toEqual(bytesOf(run));
    expect(filesOf(killed).filter((file) => /tmp|checkpoint|started/.test(file))).toEqual([]);
  });
});

describe('cascade eval --json', () => {
  let evaluation: Evaluation;
  beforeAll(async () => {
    const { out } = await program(['eval', ...inRun(run), '--json']);
    evaluation = JSON.parse(out) as Evaluation;
  });

  it('prints a verdict and metric rows in the closed words of the contracts', () => {
    expect(evaluation.verdict.sentence.length).toBeGreaterThan(30);
    const models = new Set(evaluation.metrics.map((row) => row.model));
    expect([...models].toSorted()).toEqual(
      [
        'match_count',
        'student',
        'student_tarq',
        'teacher',
        'two_tower',
        'two_tower_cosine',
        'two_tower_cosine_recency',
      ].toSorted(),
    );
    expect(new Set(evaluation.metrics.map((row) => row.split))).toEqual(new Set(['validation', 'test']));
    expect(new Set(evaluation.metrics.map((row) => row.set))).toEqual(new Set(['a', 'b']));
    const metrics = new Set(evaluation.metrics.map((row) => row.metric));
    for (const metric of [
      'auc',
      'gauc',
      'request_auc',
      'logloss',
      'ne',
      'ece',
      'ndcg@5',
      'recall@5',
      'teacher_recall@5',
      'gap_closed',
    ]) {
      expect(metrics, metric).toContain(metric);
    }
    for (const { value, low, high, n, metric } of evaluation.metrics) {
      expect(n).toBeGreaterThanOrEqual(0);
      if (value !== null && low !== null && high !== null && metric === 'auc')
        expect(low <= value && value <= high).toBe(true);
    }
  });

  it('agrees with the metrics file and with the scores', async () => {
    const db = await Duckdb.open({
      threads: 1,
      memoryLimit: '512MB',
      spillFolder: join(newFolder(), 'spill'),
    });
    const stored = await db.rows(`SELECT * FROM read_parquet('${run}/eval/metrics/part-00000.parquet')`);
    expect(stored).toEqual(evaluation.metrics.map((row) => ({ ...row })));
    // AUC once more, by SQL: the share of pairs in which the positive stands above the negative.
    const [pairs] = await db.rows(`
      WITH s AS (SELECT label, student_tarq AS score FROM read_parquet('${run}/eval/scores/*.parquet') WHERE split = 'test' AND set = 'a')
      SELECT avg(CASE WHEN p.score > n.score THEN 1.0 WHEN p.score = n.score THEN 0.5 ELSE 0.0 END) AS auc
      FROM s p JOIN s n ON p.label = 1 AND n.label = 0`);
    const auc = evaluation.metrics.find(
      (row) => row.model === 'student' && row.split === 'test' && row.set === 'a' && row.metric === 'auc',
    );
    expect(Number(pairs!.auc)).toBeCloseTo(auc!.value!, 9);
    await db.close();
  });
});

describe('samples_c', () => {
  it('is samples_b with a teacher score on every candidate and ranks 1..n by it', async () => {
    const db = await Duckdb.open({
      threads: 1,
      memoryLimit: '512MB',
      spillFolder: join(newFolder(), 'spill'),
    });
    const [faults] = await db.rows(`
      SELECT count(*) AS requests,
             sum(CASE WHEN b.item_ids = c.item_ids AND b.label = c.label AND b.weight = c.weight THEN 0 ELSE 1 END) AS different,
             sum(CASE WHEN len(list_filter(teacher_logit, x -> x IS NULL)) > 0 THEN 1 ELSE 0 END) AS without_score,
             sum(CASE WHEN list_sort(teacher_rank) = range(1, len(c.item_ids) + 1) THEN 0 ELSE 1 END) AS not_permuted,
             sum(CASE WHEN teacher_logit[list_position(teacher_rank, 1)] = list_max(teacher_logit) THEN 0 ELSE 1 END) AS wrong_top
      FROM read_parquet('${run}/teacher/samples_c/*.parquet') c
      JOIN read_parquet('${run}/samples/samples_b/*.parquet') b USING (request_id)`);
    expect(Number(faults!.requests)).toBeGreaterThan(100);
    for (const fault of ['different', 'without_score', 'not_permuted', 'wrong_top'])
      expect(Number(faults![fault]), fault).toBe(0);
    await db.close();
  });
});

describe('one flipped byte', () => {
  /** The command that reads each file next. */
  const readers: readonly (readonly [string, readonly string[]])[] = [
    ['logs/candidates/part-00000.parquet', ['samples', '--force']],
    ['samples/encoded/a/part-00000.arrow', ['teacher', '--force']],
    ['samples/encoded/index.json', ['codebook', '--force']],
    ['samples/transform.json', ['codebook', '--force']],
    ['codebook/student.safetensors', ['distill', '--force']],
    ['teacher/encoded/b/part-00000.arrow', ['distill', '--force']],
    ['teacher/teacher.safetensors', ['eval', '--force']],
    ['distill/student_tarq.safetensors', ['eval', '--force']],
    ['distill/codes/part-00000.parquet', ['eval', '--force']],
    ['distill/stage.json', ['eval']],
    ['eval/stage.json', ['eval']],
  ];

  it.each(readers)('in %s is noticed by cascade %j', async (file, command) => {
    const damaged = join(newFolder(), 'damaged');
    cpSync(run, damaged, { recursive: true, preserveTimestamps: true });
    const path = join(damaged, file);
    const bytes = readFileSync(path);
    bytes[Math.floor(bytes.length / 2)]! ^= 4;
    writeFileSync(path, bytes);
    const { code, err } = await program([...command, ...inRun(damaged)]);
    expect(code).toBe(1);
    expect(err).toContain(path);
    expect(err).toMatch(/run\.(changed_file|damaged_manifest)/);
    expect(err).toMatch(/--force/);
  });

  it('in an output is noticed by train, which writes the stage anew', async () => {
    const damaged = join(newFolder(), 'damaged');
    cpSync(run, damaged, { recursive: true, preserveTimestamps: true });
    const path = join(damaged, 'eval/scores/part-00001.parquet');
    const bytes = readFileSync(path);
    bytes[99]! ^= 1;
    writeFileSync(path, bytes);
    const { code, out } = await program(['train', ...inRun(damaged)]);
    expect(code).toBe(0);
    expect(out).toContain('eval/scores/part-00001.parquet was changed or removed on disk');
    expect(bytesOf(damaged)).toEqual(bytesOf(run));
  });

  it('in config.yaml or run.json is said before they are written anew', async () => {
    const damaged = join(newFolder(), 'damaged');
    cpSync(run, damaged, { recursive: true, preserveTimestamps: true });
    for (const file of ['config.yaml', 'run.json']) {
      const path = join(damaged, file);
      const bytes = readFileSync(path);
      bytes[bytes.length - 20]! ^= 1;
      writeFileSync(path, bytes);
      const { code, err } = await program(['train', ...inRun(damaged)]);
      expect(code).toBe(0);
      expect(err, file).toContain(file);
    }
  });
});
