/**
 * Evaluation: every model on every candidate of the validation and test days, and what it means.
 * In:  samples (encoded, sets for counts), teacher, distill (weights, final codes, health, logs of training), requests of logs for
 *      slices.
 * Out: metrics (model, split, set, slice, metric, value, low, high, n), scores (one row per candidate, one column per model, null
 *      where it was not measured), report.html.
 * Promise: pre-rankers are scored as they are served, by item states, user states and nothing else; intervals resample users and are
 * paired between models; a metric that is not defined is null; a logged teacher is measured only where it has scored every candidate.
 * One set on one split is in memory at a time.
 */
import { writeFile } from 'node:fs/promises';
import type { Config } from '../config/config.js';
import { columnsOf } from '../data/columns.js';
import type { SetName } from '../data/encodedData.js';
import { writeBatches } from '../data/parquet.js';
import type { Split } from '../data/shards.js';
import { returnGarbage, returnGarbageAtTimes } from '../memory.js';
import { metricSchema, type MetricRow, type ModelName } from '../metrics/metricRow.js';
import { decimals } from '../metrics/numbers.js';
import { withoutGaps } from '../metrics/scoredSet.js';
import { gapClosedRow, verdict, type Verdict } from '../metrics/verdict.js';
import { studentName } from '../models/registry.js';
import { advice } from '../report/advice.js';
import { reportHtml } from '../report/report.js';
import { tableLines } from '../report/table.js';
import type { Stage, StageResult } from '../run/stage.js';
import { storedVectors } from '../train/itemVectors.js';
import { openScorers, type Scored, type Scorer } from '../train/scoredModels.js';
import { openSplit } from '../train/scoring.js';
import { Workbench } from '../train/workbench.js';
import { gatherReport, withoutTeacher } from './evaluationReport.js';
import { calibration, measureAll, sliceRows, type Judged } from './judged.js';
import { ScoresTable } from './scoresTable.js';

const evaluatedSplits = ['validation', 'test'] as const satisfies readonly Split[];
const sets = ['a', 'b'] as const satisfies readonly SetName[];

export async function evaluate(stage: Stage, config: Config): Promise<StageResult> {
  const bench = await Workbench.open(stage, config, await storedVectors(stage, config));
  const scorers = await openScorers(bench, config);
  const scores = new ScoresTable(stage, config, bench.data.items.ids, [...scorers.keys()]);
  const judged: Judged[] = [];
  for (const split of evaluatedSplits) {
    for (const set of sets) {
      if (bench.data.requests(set, split) === 0) continue;
      const scored = await score(bench, scorers, set, split);
      returnGarbage();
      await scores.write(scored);
      judged.push(await judge(bench, scored));
      returnGarbageAtTimes(); // what the set was sorted in
    }
  }
  bench.endBatches();
  const test = judged.find(({ set, split }) => set === 'a' && split === 'test')!; // samples refuse an empty split
  const verdictOnTest = verdict(test.measurements, advice(config), withoutTeacher(test));
  const rows = [
    ...judged.flatMap(({ measurements, set, split }) => measurements.rows({ split, set, slice: 'all' })),
    gapClosedRow(verdictOnTest.facts, { split: 'test', set: 'a', slice: 'all' }, test.candidates),
    ...config.eval.slices.flatMap((slice) => judged.flatMap(({ slices }) => slices.get(slice) ?? [])),
  ];
  const metrics = [...rows, ...underOwnName(rows, config)];
  await writeMetrics(stage, metrics);
  const report = await gatherReport(bench, verdictOnTest, rows, judged);
  await stage.write('report.html', (path) => writeFile(path, reportHtml(report)));
  return { lines: linesOf(judged, verdictOnTest, config), data: { verdict: verdictOnTest, metrics } };
}

async function score(
  bench: Workbench,
  scorers: ReadonlyMap<string, Scorer>,
  set: SetName,
  split: Scored['split'],
): Promise<Scored> {
  const { data, stage, config } = bench;
  const rows = openSplit(data, set, split);
  const models: { model: ModelName; logits: Float32Array }[] = [];
  let unscored = 0;
  const task = stage.progress.begin(`scoring set ${set.toUpperCase()}, ${split}`, scorers.size, 'models');
  for (const [name, scorer] of scorers) {
    const model = name === studentName(config) ? 'student' : (name as ModelName); // the registry's names are metric names
    const logits = await scorer(set, split);
    const missing =
      model === 'teacher' && config.distill.teacher === 'logged' ? count(logits, Number.isNaN) : 0;
    // A metric over the candidates that a ranker cared to score is not comparable with one over all.
    if (missing === 0) models.push({ model, logits });
    unscored += missing;
    task.update(models.length);
  }
  task.end();
  const teacher = models.find(({ model }) => model === 'teacher')?.logits;
  const scored = withoutGaps({
    offsets: rows.offsets,
    user: rows.user,
    labels: rows.label,
    weights: rows.weight,
    ...(teacher && { teacher }),
  });
  return { set, split, rows, scored, models, unscored };
}

const count = (values: Float32Array, holds: (value: number) => boolean) =>
  values.reduce((sum, value) => sum + (holds(value) ? 1 : 0), 0);

/** What stays of a scored set when the next one is scored. */
async function judge(bench: Workbench, scored: Scored): Promise<Judged> {
  const { set, split, rows, unscored } = scored;
  return {
    set,
    split,
    requests: rows.requests,
    candidates: rows.item.length,
    unscored,
    measurements: measureAll(bench, scored),
    calibration: set === 'a' && split === 'test' ? calibration(scored) : [],
    slices: split === 'test' ? await sliceRows(bench, scored) : new Map(),
  };
}

async function writeMetrics(stage: Stage, metrics: readonly MetricRow[]): Promise<void> {
  const batch = columnsOf(
    metricSchema,
    metrics.map((row) => ({ ...row })),
  );
  await stage.withDuckdb((db) =>
    stage.write('metrics/part-00000.parquet', (path) => writeBatches(db, metricSchema, [batch], path)),
  );
}

/** The student's rows once more under the name of its kind, so that runs with several students can be laid side by side. */
const underOwnName = (rows: readonly MetricRow[], config: Config): MetricRow[] =>
  rows.filter(({ model }) => model === 'student').map((row) => ({ ...row, model: studentName(config) }));

/** A table per set for the terminal, and the verdict as the last line. */
function linesOf(judged: readonly Judged[], { sentence }: Verdict, { eval: { cutoffs } }: Config): string[] {
  const lines = judged
    .filter(({ split }) => split === 'test')
    .flatMap(({ set, requests, candidates, measurements }) => {
      const k = tellingCutoff(cutoffs, candidates / requests);
      const metrics = [
        'auc',
        'gauc',
        'request_auc',
        'logloss',
        `ndcg@${k}`,
        `recall@${k}`,
        `teacher_recall@${k}`,
      ];
      const rows = measurements.models.map((model) => [
        model,
        ...metrics.map((metric) => {
          const value = measurements.find(model, metric)?.value;
          return value === null || value === undefined ? '–' : decimals(value);
        }),
      ]);
      const title = `set ${set.toUpperCase()}, test`;
      const columns = [{ title }, ...metrics.map((metric) => ({ title: metric, align: 'right' as const }))];
      return [...tableLines(columns, rows), ''];
    });
  return [...lines, sentence];
}

/** The largest cutoff below the mean length of a list: at or beyond it every recall is 1. */
function tellingCutoff(cutoffs: readonly number[], meanLength: number): number {
  return Math.max(Math.min(...cutoffs), ...cutoffs.filter((k) => k < meanLength));
}
