/** What evaluation says of one set on one split, whose scores are not needed any more once it is said. */
import type { SetName } from '../data/encodedData.js';
import { IdIndex } from '../data/idIndex.js';
import { parquetSource } from '../data/parquet.js';
import type { ScalarColumn } from '../data/columns.js';
import { calibrationCurve } from '../metrics/calibration.js';
import { measure, type Measurements } from '../metrics/measure.js';
import type { MetricRow } from '../metrics/metricRow.js';
import { scoredModel } from '../metrics/scoredModel.js';
import { layoutOf, pick, selectRequests } from '../metrics/scoredSet.js';
import type { ReportInput } from '../report/input.js';
import type { Stage } from '../run/stage.js';
import type { Scored } from '../train/scoredModels.js';
import type { Workbench } from '../train/workbench.js';

export interface Judged {
  readonly set: SetName;
  readonly split: Scored['split'];
  readonly requests: number;
  readonly candidates: number;
  /** Candidates without a teacher's score. */
  readonly unscored: number;
  readonly measurements: Measurements;
  /** Of set A on test days; none else. */
  readonly calibration: ReportInput['calibration'];
  /** Metrics of each value of each slice column, on test days. */
  readonly slices: ReadonlyMap<string, readonly MetricRow[]>;
}

export function measureAll(bench: Workbench, { set, split, scored, models }: Scored): Measurements {
  const { cutoffs, teacherTop, bootstrap } = bench.config.eval;
  const stream = () => bench.random(`bootstrap/${set}/${split}`);
  return measure({ set: scored, models, cutoffs, teacherTop, resamples: bootstrap, stream });
}

export function calibration({ scored, models }: Scored): ReportInput['calibration'] {
  const layout = layoutOf(scored);
  return models
    .filter(({ model }) => model === 'student' || model === 'two_tower')
    .map(({ model, logits }) => ({ model, bins: calibrationCurve(scoredModel(layout, logits, model)) }));
}

/** By slice column. */
export async function sliceRows(bench: Workbench, scored: Scored): Promise<Map<string, MetricRow[]>> {
  const { config, stage } = bench;
  const { set, split } = scored;
  const slices = new Map<string, MetricRow[]>();
  for (const slice of config.eval.slices) {
    const column = slice.replace('requests.', '');
    const requestsOf = await requestsByValue(stage, column, scored.rows.requestId);
    const rows = [...requestsOf.keys()].toSorted().flatMap((value) => {
      const selected = selectRequests(scored.scored, requestsOf.get(value)!);
      const models = scored.models.map(({ model, logits }) => ({
        model,
        logits: pick(logits, selected.candidates),
      }));
      const measurements = measureAll(bench, { ...scored, scored: selected.set, models });
      return measurements.rows({ split, set, slice: `${column}=${value}` });
    });
    slices.set(slice, rows);
  }
  return slices;
}

/** Places in `requestId` of the requests with each value of a column of the requests table, as text. */
async function requestsByValue(
  stage: Stage,
  column: string,
  requestId: BigInt64Array,
): Promise<Map<string, number[]>> {
  const index = new IdIndex(requestId);
  const files = await stage.readTable('logs', 'requests');
  const valueOf = new Array<string>(requestId.length).fill('null');
  const query = `SELECT request_id, CAST(${column} AS VARCHAR) AS value FROM ${parquetSource(files)}`;
  await stage.withDuckdb(async (db) => {
    for await (const batch of db.stream(query)) {
      const places = index.placesOf((batch.columns.request_id as ScalarColumn).values as BigInt64Array);
      const { values: texts, nulls } = batch.columns.value as ScalarColumn;
      places.forEach((place, i) => {
        if (place >= 0 && !nulls?.[i]) valueOf[place] = String(texts[i]);
      });
    }
  });
  const requestsOf = new Map<string, number[]>();
  valueOf.forEach((value, request) => {
    const requests = requestsOf.get(value);
    if (requests) requests.push(request);
    else requestsOf.set(value, [request]);
  });
  return requestsOf;
}
