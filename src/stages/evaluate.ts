/**
 * Evaluation: every model on every candidate of the validation and test days, and what it means.
 * In:  samples (encoded, sets for counts), teacher, distill (weights, final codes, health, logs of training), requests of logs for
 *      slices.
 * Out: metrics (model, split, set, slice, metric, value, low, high, n), scores (one row per candidate, one column per model, null
 *      where it was not measured), report.html.
 * Promise: pre-rankers are scored as they are served, by item states, user states and nothing else; intervals resample users and are
 * paired between models; a metric that is not defined is null; a logged teacher is measured only where it has scored every candidate.
 */
import { writeFile } from 'node:fs/promises';
import type { Config } from '../config/config.js';
import { columnsOf, type Batch, type ScalarColumn, type Schema } from '../data/columns.js';
import type { SetName } from '../data/encodedData.js';
import { parquetSource, writeBatches } from '../data/parquet.js';
import type { Split } from '../data/shards.js';
import { measure, type Measurements } from '../metrics/measure.js';
import { metricSchema, type MetricRow, type ModelName } from '../metrics/metricRow.js';
import { decimals } from '../metrics/numbers.js';
import { pick, selectRequests } from '../metrics/scoredSet.js';
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

const evaluatedSplits = ['validation', 'test'] as const satisfies readonly Split[];
const sets = ['a', 'b'] as const satisfies readonly SetName[];

export async function evaluate(stage: Stage, config: Config): Promise<StageResult> {
  const bench = await Workbench.open(stage, config, await storedVectors(stage, config));
  const scorers = await openScorers(bench, config);
  const all: Scored[] = [];
  for (const split of evaluatedSplits) {
    for (const set of sets) {
      if (bench.data.requests(set, split) > 0) all.push(await score(bench, scorers, set, split));
    }
  }
  const measured = all.map((scored) => ({ scored, measurements: measureAll(bench, scored) }));
  const test = measured.find(({ scored }) => scored.set === 'a' && scored.split === 'test')!; // samples refuse an empty split
  const judged = verdict(test.measurements, advice(config), withoutTeacher(test.scored));
  const rows = [
    ...measured.flatMap(({ scored, measurements }) =>
      measurements.rows({ split: scored.split, set: scored.set, slice: 'all' }),
    ),
    gapClosedRow(judged.facts, { split: 'test', set: 'a', slice: 'all' }, test.scored.rows.offsets.at(-1)!),
    ...(await sliceRows(bench, all)),
  ];
  const metrics = [...rows, ...underOwnName(rows, config)];

  await writeScores(stage, bench, all, config);
  await stage.withDuckdb((db) =>
    stage.write('metrics/part-00000.parquet', (path) =>
      writeBatches(
        db,
        metricSchema,
        [
          columnsOf(
            metricSchema,
            metrics.map((row) => ({ ...row })),
          ),
        ],
        path,
      ),
    ),
  );
  const report = await gatherReport(bench, judged, rows, measured);
  await stage.write('report.html', (path) => writeFile(path, reportHtml(report)));
  return { lines: linesOf(measured, judged, config), data: { verdict: judged, metrics } };
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
  const every = Int32Array.from({ length: rows.requests }, (_, request) => request);
  const whole = {
    offsets: rows.offsets,
    user: rows.user,
    labels: rows.label,
    weights: rows.weight,
    ...(teacher && { teacher }),
  };
  return { set, split, rows, scored: selectRequests(whole, every).set, models, unscored };
}

const count = (values: Float32Array, holds: (value: number) => boolean) =>
  values.reduce((sum, value) => sum + (holds(value) ? 1 : 0), 0);

function measureAll(bench: Workbench, { set, split, scored, models }: Scored): Measurements {
  const { cutoffs, teacherTop, bootstrap } = bench.config.eval;
  const stream = bench.random(`bootstrap/${set}/${split}`);
  return measure({ set: scored, models, cutoffs, teacherTop, resamples: bootstrap, stream });
}

/** Metrics of each value of each slice column, on test days. */
async function sliceRows(bench: Workbench, all: readonly Scored[]): Promise<MetricRow[]> {
  const { config, stage } = bench;
  const rows: MetricRow[] = [];
  for (const slice of config.eval.slices) {
    const column = slice.replace('requests.', '');
    const valueOf = await requestValues(stage, column);
    for (const scored of all.filter(({ split }) => split === 'test')) {
      const requestsOf = new Map<string, number[]>();
      scored.rows.requestId.forEach((id, r) => {
        const value = valueOf.get(id) ?? 'null';
        const requests = requestsOf.get(value);
        if (requests) requests.push(r);
        else requestsOf.set(value, [r]);
      });
      for (const value of [...requestsOf.keys()].toSorted()) {
        const selected = selectRequests(scored.scored, requestsOf.get(value)!);
        const models = scored.models.map(({ model, logits }) => ({
          model,
          logits: pick(logits, selected.candidates),
        }));
        const name = `${column}=${value}`;
        const measurements = measureAll(bench, { ...scored, scored: selected.set, models });
        rows.push(...measurements.rows({ split: scored.split, set: scored.set, slice: name }));
      }
    }
  }
  return rows;
}

/** A column of the requests table as text, by request. */
async function requestValues(stage: Stage, column: string): Promise<Map<bigint, string>> {
  const files = await stage.readTable('logs', 'requests');
  const values = new Map<bigint, string>();
  await stage.withDuckdb(async (db) => {
    const source = parquetSource(files);
    for await (const batch of db.stream(
      `SELECT request_id, CAST(${column} AS VARCHAR) AS value FROM ${source}`,
    )) {
      const ids = (batch.columns.request_id as ScalarColumn).values as BigInt64Array;
      const { values: texts, nulls } = batch.columns.value as ScalarColumn;
      ids.forEach((id, i) => values.set(id, nulls?.[i] ? 'null' : String(texts[i])));
    }
  });
  return values;
}

/** The student's rows once more under the name of its kind, so that runs with several students can be laid side by side. */
const underOwnName = (rows: readonly MetricRow[], config: Config): MetricRow[] =>
  rows.filter(({ model }) => model === 'student').map((row) => ({ ...row, model: studentName(config) }));

/** scores: split, set, request_id, item_id, label, and a logit per model. */
async function writeScores(
  stage: Stage,
  { data }: Workbench,
  all: readonly Scored[],
  config: Config,
): Promise<void> {
  const names = [...new Set(all.flatMap(({ models }) => models.map(({ model }) => model)))];
  const columnOf = (name: ModelName) => (name === 'student' ? studentName(config) : name);
  const schema: Schema = {
    split: 'VARCHAR',
    set: 'VARCHAR',
    request_id: 'BIGINT',
    item_id: 'BIGINT',
    label: 'TINYINT',
    ...Object.fromEntries(names.map((name) => [columnOf(name), 'FLOAT' as const])),
  };
  const batchOf = ({ set, split, rows, models }: Scored): Batch => {
    const candidates = rows.item.length;
    const requestIds = new BigInt64Array(candidates);
    rows.requestId.forEach((id, r) => requestIds.fill(id, rows.offsets[r], rows.offsets[r + 1]));
    return {
      rows: candidates,
      columns: {
        split: { values: Array<string>(candidates).fill(split) },
        set: { values: Array<string>(candidates).fill(set) },
        request_id: { values: requestIds },
        item_id: { values: BigInt64Array.from(rows.item, (item) => data.items.ids[item]!) },
        label: { values: Int8Array.from(rows.label) },
        ...Object.fromEntries(names.map((name) => [columnOf(name), logitsOf(name, models, candidates)])),
      },
    };
  };
  await stage.withDuckdb(async (db) => {
    for (const [part, scored] of all.entries()) {
      const file = `scores/part-${String(part).padStart(5, '0')}.parquet`;
      await stage.write(file, (path) => writeBatches(db, schema, [batchOf(scored)], path));
    }
  });
}

/** Nulls where the model has not scored this set. */
function logitsOf(name: ModelName, models: Scored['models'], candidates: number): ScalarColumn {
  const logits = models.find(({ model }) => model === name)?.logits;
  if (logits) return { values: logits };
  return { values: new Float32Array(candidates), nulls: new Uint8Array(candidates).fill(1) };
}

/** A table per set for the terminal, and the verdict as the last line. */
function linesOf(
  measured: readonly { scored: Scored; measurements: Measurements }[],
  { sentence }: Verdict,
  { eval: { cutoffs } }: Config,
): string[] {
  const lines = measured
    .filter(({ scored }) => scored.split === 'test')
    .flatMap(({ scored, measurements }) => {
      const k = tellingCutoff(cutoffs, scored.scored.offsets);
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
      const title = `set ${scored.set.toUpperCase()}, test`;
      const columns = [{ title }, ...metrics.map((metric) => ({ title: metric, align: 'right' as const }))];
      return [...tableLines(columns, rows), ''];
    });
  return [...lines, sentence];
}

/** The largest cutoff below the mean length of a list: at or beyond it every recall is 1. */
function tellingCutoff(cutoffs: readonly number[], offsets: Int32Array): number {
  const meanLength = offsets.at(-1)! / (offsets.length - 1);
  return Math.max(Math.min(...cutoffs), ...cutoffs.filter((k) => k < meanLength));
}
