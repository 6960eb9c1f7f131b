/**
 * Codebook pre-training: item codes that a student can attend with.
 * In:  samples (encoded); the user's own item vectors, where `codebook.item_vectors` names some.
 * Out: student.safetensors (the student that `distill` goes on with), codes (item_id, code per level), codebook (level, code, vector),
 *      health (level, metric, value), training_log; item_vectors.arrow, the vectors in the order of the encoded items.
 * Story, TARQ: a fraction of an epoch of two-tower and autoencoder training, first codes (k-means per level on what the levels before
 * have left), RQ-VAE steps on resting embeddings. Codes that are centres (prefix, tangent): k-means on the first embeddings; they are refitted
 * as training goes. All of it by the user's vectors in place of embeddings, where there are some. Then codes for every item, and a gate that a collapsed codebook does not pass.
 */
import type { Config } from '../config/config.js';
import { codebookFaults, type CodebookHealth } from '../codebooks/health.js';
import { writeModel } from '../engine/modelFile.js';
import type { ModelState } from '../engine/state.js';
import type { RandomStream } from '../engine/random.js';
import { CascadeError } from '../errors.js';
import { dimensions } from '../layers/inputs.js';
import { itemAutoencoder } from '../models/itemAutoencoder.js';
import { preRanker, studentBackbone, studentName } from '../models/registry.js';
import type { Stage, StageResult } from '../run/stage.js';
import { healthLines, writeCodebook } from '../train/codebookTables.js';
import {
  distinctItems,
  drawItems,
  startCodes,
  trainingItems,
  type ItemSample,
} from '../train/codeFitting.js';
import { fit } from '../train/fit.js';
import type { TrainingLog } from '../train/fitPlan.js';
import { ItemEncoder } from '../train/itemEncoding.js';
import { vectorLines, vectorsPath, writeItemVectors } from '../train/itemVectors.js';
import { roles, warmUpLoss } from '../train/objectives.js';
import { trainRqVae } from '../train/rqVae.js';
import { writeTrainingLog } from '../train/trainingLog.js';
import { Workbench } from '../train/workbench.js';

/** Items that k-means looks at, at most: more would change the centres little. */
const kmeansSample = 20_000;

export async function trainCodebook(stage: Stage, config: Config): Promise<StageResult> {
  const vectors = await writeItemVectors(stage, config);
  if (vectors) await stage.workers.meet(); // the others read what was written
  const warmsUp = config.distill.student.kind === 'tarq';
  const bench = await Workbench.open(stage, config, vectors?.path, warmsUp);
  const { state, logs } = await firstCodes(bench);
  bench.endBatches();
  await stage.write('student.safetensors', (path) => writeModel(path, state));
  const health = await writeCodebook(bench, state);
  await writeTrainingLog(stage, logs);
  passGate(config, health);
  return {
    lines: [...(vectors ? vectorLines(vectors.facts) : []), ...healthLines(health)],
    data: { health, ...(vectors && { itemVectors: vectors.facts }) },
  };
}

/** Workers share the warm-up; items are few, and the rest is done by one. */
export async function helpWithCodebook(stage: Stage, config: Config): Promise<void> {
  const vectors = config.codebook.itemVectors ? vectorsPath(stage) : null;
  if (vectors) await stage.workers.meet();
  if (config.distill.student.kind === 'tarq') await warmUp(await Workbench.open(stage, config, vectors));
}

interface FirstCodes {
  readonly state: ModelState;
  readonly logs: Readonly<Record<string, TrainingLog>>;
}

async function firstCodes(bench: Workbench): Promise<FirstCodes> {
  const { config, data } = bench;
  const items = trainingItems(data);
  const stream = bench.random('codebook/kmeans');
  const drawn = drawItems(items, kmeansSample, stream);
  if (config.distill.student.kind !== 'tarq') {
    const state = newStudent(bench);
    await fitCodes(bench, state, distinctItems(data, drawn), stream);
    return { state, logs: {} };
  }
  const { state, log } = await warmUp(bench);
  await fitCodes(bench, state, { items: drawn }, stream);
  return { state, logs: { warm_up: log, rq_vae: await trainRqVae(bench, state, items) } };
}

function newStudent(bench: Workbench): ModelState {
  const { config } = bench;
  const { model } = preRanker(studentName(config), config, bench.frame);
  return bench.newState(model.initial(bench.initialStream('pre_ranker')), 'pre_ranker');
}

/** Towers and autoencoder learn on clicks; what the student has beside them rests. */
async function warmUp(bench: Workbench): Promise<{ state: ModelState; log: TrainingLog }> {
  const { config, data, codes: coder } = bench;
  const { needs } = preRanker(studentName(config), config, bench.frame);
  const autoencoder = itemAutoencoder(config.codebook, dimensions(data.layout).coded);
  const { best, log } = await fit(
    {
      name: 'warm_up',
      trained: { [roles.model]: newStudent(bench) },
      loss: warmUpLoss(studentBackbone(config, bench.frame), autoencoder, coder.part, data.layout),
      needs,
      primary: { shape: bench.block('a'), split: 'train' },
      epochs: config.codebook.warmUp,
    },
    bench.fitContext,
  );
  return { state: best[roles.model]!, log };
}

async function fitCodes(
  { config, data, device, codes: coder }: Workbench,
  state: ModelState,
  sample: ItemSample,
  stream: RandomStream,
): Promise<void> {
  const encoder = new ItemEncoder(data, coder, device);
  await startCodes(state, coder, encoder, sample, config.codebook, stream);
  await encoder.release();
}

/** Stops the run before hours are spent on a codebook that has collapsed. */
function passGate({ codebook }: Config, health: CodebookHealth): void {
  const faults = codebookFaults(health, codebook.gate);
  if (faults.length === 0) return;
  throw new CascadeError({
    code: 'gate.codebook',
    where: 'codebook',
    what: [`The codebook is not fit to train on:`, ...faults, ...healthLines(health)].join('\n'),
    mend: 'Lower codebook.codes or codebook.levels, raise codebook.warm_up or features.init_scale, set codebook.steps to 0 to keep the k-means start, or move codebook.gate.',
  });
}
