/** All models of a run opened for scoring, by the names that metrics use. */
import type { Config } from '../config/config.js';
import type { ScalarColumn } from '../data/columns.js';
import type { SetName } from '../data/encodedData.js';
import { parquetSource } from '../data/parquet.js';
import type { Split } from '../data/shards.js';
import { Forward } from '../engine/forward.js';
import { internal } from '../errors.js';
import { preRanker, teacherModel, trainedPreRankers, type PreRankerName } from '../models/registry.js';
import { rankerScores, roles } from './objectives.js';
import type { ModelName } from '../metrics/metricRow.js';
import type { ScoredSet } from '../metrics/scoredSet.js';
import { scoreSplit, type ScoredSplit } from './scoring.js';
import { readTeacherScores, teacherFile } from './teacherScores.js';
import { itemStates, scoreFromStates, type ItemStates } from './threeSides.js';
import type { Workbench } from './workbench.js';

/** One set on one split with the logits of every model; without the teacher's where a logged one has not scored every candidate. */
export interface Scored {
  readonly set: SetName;
  readonly split: 'validation' | 'test';
  readonly rows: ScoredSplit;
  readonly scored: ScoredSet;
  /** Logits per candidate; the student stands under `student`. */
  readonly models: readonly { readonly model: ModelName; readonly logits: Float32Array }[];
  /** Candidates without a teacher's score. */
  readonly unscored: number;
}

/** Logits for every candidate of a split, in the order of the files; NaN where a logged teacher has none. */
export type Scorer = (set: SetName, split: Split) => Promise<Float32Array>;

/** The pre-rankers that `distill` trained, the baseline first and the student last, then the teacher. */
export async function openScorers(
  bench: Workbench,
  config: Config,
): Promise<ReadonlyMap<PreRankerName | 'teacher', Scorer>> {
  const scorers = new Map<PreRankerName | 'teacher', Scorer>();
  for (const name of trainedPreRankers(config)) scorers.set(name, await preRankerScorer(bench, config, name));
  const teacher =
    config.distill.teacher === 'logged' ? loggedScorer(bench) : await teacherScorer(bench, config);
  scorers.set('teacher', teacher);
  return scorers;
}

async function preRankerScorer(bench: Workbench, config: Config, name: PreRankerName): Promise<Scorer> {
  const { data, device } = bench;
  const named = preRanker(name, config, bench.frame);
  const state = await bench.readModel('distill', `${name}.safetensors`);
  let items: ItemStates | null = null;
  return async (set, split) => {
    items ??= await withStoredCodes(bench, await itemStates(data, named, state, device));
    return scoreFromStates(data, named, state, items, bench.block(set), split, device);
  };
}

async function teacherScorer(bench: Workbench, config: Config): Promise<Scorer> {
  const { data, device } = bench;
  const { ranker, needs } = teacherModel(config, bench.frame);
  const state = await bench.readModel('teacher', 'teacher.safetensors');
  return async (set, split) => {
    const forward = new Forward('teacher', rankerScores(ranker, data.layout, set), device);
    const order = { needs, shape: bench.block(set), split };
    const run = forward.over({ [roles.teacher]: state });
    const scores = await scoreSplit(data, order, bench.batches.scoring(order), run);
    await forward.release();
    return scores;
  };
}

/** The scores that the ranker of the logs left there. */
function loggedScorer({ data, stage }: Workbench): Scorer {
  return async (set, split) => {
    const entries = data.shards(set, split);
    const logits = new Float32Array(entries.reduce((sum, { candidates }) => sum + candidates, 0));
    let at = 0;
    for (const entry of entries) {
      const { logit } = readTeacherScores(await stage.read('teacher', teacherFile(entry)));
      logits.set(logit, at);
      at += logit.length;
    }
    return logits;
  };
}

/** Item states with the codes that `distill` published in place of those just computed: evaluation reads what serving would load. */
async function withStoredCodes({ stage, data }: Workbench, states: ItemStates): Promise<ItemStates> {
  const name = Object.keys(states).find((key) => key.endsWith('/codes'));
  if (name === undefined) return states;
  const { width } = states[name]!;
  const [path] = await stage.readTable('distill', 'codes');
  const columns = Array.from(
    { length: width },
    (_, level) => `CAST(code_${level + 1} AS INTEGER) AS code_${level + 1}`,
  );
  const batch = await stage.withDuckdb((db) =>
    db.batch(`SELECT item_id, ${columns.join(', ')} FROM ${parquetSource(path!)} ORDER BY item_id`),
  );
  if (batch.rows !== data.items.count)
    internal(`${batch.rows} items have codes, ${data.items.count} are in the samples`);
  const codes = new Int32Array(batch.rows * width);
  for (let level = 0; level < width; level++) {
    const { values } = batch.columns[`code_${level + 1}`] as ScalarColumn;
    for (let item = 0; item < batch.rows; item++) codes[item * width + level] = Number(values[item]);
  }
  return { ...states, [name]: { width, values: codes } };
}
