/** Gathers what the report shows: counts of samples, training curves and codebook health, beside the metrics just computed. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parquetSource } from '../data/parquet.js';
import type { MetricRow, ModelName } from '../metrics/metricRow.js';
import { pairedDifference } from '../metrics/paired.js';
import type { Verdict } from '../metrics/verdict.js';
import { studentName } from '../models/registry.js';
import type {
  CodebookLevel,
  Difference,
  EpochPoint,
  LossPoint,
  ReportInput,
  SampleCount,
} from '../report/input.js';
import type { Stage } from '../run/stage.js';
import { lossShare } from '../train/epochWords.js';
import type { Workbench } from '../train/workbench.js';
import type { Judged } from './judged.js';

/** Points of a loss curve, at most: every so manieth step. */
const lossPoints = 200;

export async function gatherReport(
  bench: Workbench,
  verdict: Verdict,
  metrics: readonly MetricRow[],
  judged: readonly Judged[],
): Promise<ReportInput> {
  const { stage, config } = bench;
  const test = judged.filter(({ split }) => split === 'test');
  return {
    run: basename(stage.runFolder),
    data: config.logs.kind,
    seed: config.seed,
    student: config.distill.student.kind,
    ...(config.distill.teacher === 'logged' && { loggedTeacher: loggedTeacher(test) }),
    samples: await sampleCounts(stage),
    verdict,
    metrics: metrics.filter(({ split }) => split === 'test'),
    differences: test.flatMap(differences),
    calibration: test.find(({ set }) => set === 'a')!.calibration,
    epochs: await epochPoints(bench),
    losses: await lossCurve(bench),
    codebook: await codebookLevels(stage),
    settings: await settingsText(stage),
  };
}

/** Why a logged teacher is not measured on a set; undefined where it is. */
export function withoutTeacher({
  set,
  unscored,
  candidates: all,
}: Pick<Judged, 'set' | 'unscored' | 'candidates'>): string | undefined {
  if (unscored === 0) return undefined;
  const candidates = `${all.toLocaleString('en-US')} ${set === 'a' ? 'exposures' : 'candidates of set B'}`;
  return `the logs have no teacher score for ${unscored.toLocaleString('en-US')} of ${candidates} on test days`;
}

function loggedTeacher(test: readonly Judged[]): string {
  const reasons = test.flatMap((one) => withoutTeacher(one) ?? []);
  const left = reasons.length > 0 ? `; not measured where a candidate has none: ${reasons.join(', ')}` : '';
  return `the ranker of the logs, by the scores that it left there${left}`;
}

async function sampleCounts(stage: Stage): Promise<SampleCount[]> {
  const counts: SampleCount[] = [];
  for (const set of ['a', 'b'] as const) {
    const source = parquetSource(await stage.readTable('samples', `samples_${set}`));
    const rows = await stage.withDuckdb((db) =>
      db.rows(`
        SELECT split, min(dt) AS first, max(dt) AS last, CAST(count(*) AS INTEGER) AS requests,
               CAST(sum(len(item_ids)) AS INTEGER) AS candidates, CAST(sum(list_sum(label)) AS INTEGER) AS positives
        FROM ${source} GROUP BY split ORDER BY first`),
    );
    for (const row of rows) {
      counts.push({
        set,
        split: row.split as SampleCount['split'], // the three words that the samples stage writes
        from: String(row.first),
        to: String(row.last),
        requests: Number(row.requests),
        candidates: Number(row.candidates),
        positives: Number(row.positives),
      });
    }
  }
  return counts;
}

/** Of every other model to the two-tower, on the metrics that decide. */
function differences({ set, measurements }: Judged): Difference[] {
  return measurements.models
    .filter((model) => model !== 'two_tower')
    .flatMap((model) =>
      ['auc', 'gauc', 'request_auc'].flatMap((metric) => {
        const [one, baseline] = [measurements.find(model, metric), measurements.find('two_tower', metric)];
        if (!one || !baseline) return [];
        return [{ model, set, metric, ...pairedDifference(one, baseline) }];
      }),
    );
}

/** The teacher's two phases are one curve: the second goes on where the first was best. A logged one has none. */
async function epochPoints({ stage, config }: Workbench): Promise<EpochPoint[]> {
  const points: EpochPoint[] = [];
  for (const from of ['distill', 'teacher'] as const) {
    if (from === 'teacher' && config.distill.teacher === 'logged') continue;
    const source = parquetSource(await stage.readTable(from, 'validation'));
    const rows = await stage.withDuckdb((db) =>
      db.rows(`SELECT model, epoch, auc FROM ${source} WHERE auc IS NOT NULL`),
    );
    for (const { model, epoch, auc } of rows) {
      if (model === 'teacher_b') continue;
      points.push({
        model: metricName(String(model), studentName(config)),
        epoch: Number(epoch),
        validationAuc: Number(auc),
      });
    }
  }
  return points;
}

const metricName = (model: string, student: string): ModelName => {
  if (model === student) return 'student';
  return model === 'teacher_a' ? 'teacher' : (model as ModelName); // training names are metric names else
};

/** Loss terms of the student. */
async function lossCurve({ stage, config }: Workbench): Promise<LossPoint[]> {
  const source = parquetSource(await stage.readTable('distill', 'training_log'));
  const rows = await stage.withDuckdb((db) =>
    db.rows(`
      SELECT name, step, CAST(value AS DOUBLE) AS value FROM ${source}
      WHERE model = '${studentName(config)}' AND name NOT IN ('learning_rate', 'gradient_norm', 'loss') AND name NOT LIKE '${lossShare('%')}'
        AND step % greatest(1, (SELECT max(step) // ${lossPoints} FROM ${source} WHERE model = '${studentName(config)}')) = 0
      ORDER BY name, step`),
  );
  return rows.map(({ name, step, value }) => ({
    model: 'student',
    term: String(name),
    step: Number(step),
    value: Number(value),
  }));
}

async function codebookLevels(stage: Stage): Promise<CodebookLevel[]> {
  const source = parquetSource(await stage.readTable('distill', 'health'));
  const rows = await stage.withDuckdb((db) => db.rows(`SELECT level, metric, value FROM ${source}`));
  const value = (level: number, metric: string) =>
    Number(rows.find((row) => Number(row.level) === level && row.metric === metric)?.value);
  const levels = [...new Set(rows.map((row) => Number(row.level)))]
    .filter((level) => level > 0)
    .toSorted((a, b) => a - b);
  return levels.map((level) => ({
    level,
    codes: value(0, 'codes'),
    usage: value(level, 'usage'),
    ceiling: value(level, 'usage_ceiling'),
    perplexity: value(level, 'perplexity'),
    collisions: value(level, 'collisions'),
    relativeError: value(level, 'relative_error'),
  }));
}

/** The resolved config that the command wrote into the run folder. */
async function settingsText({ runFolder }: Stage): Promise<string> {
  const path = join(runFolder, 'config.yaml');
  return existsSync(path) ? readFile(path, 'utf8') : '';
}
