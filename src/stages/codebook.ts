/**
 * Codebook pre-training: item codes that a student can attend with.
 * In:  samples (encoded).
 * Out: warm_up.safetensors (embeddings, towers, autoencoder and codes: what `distill` starts from), codes (item_id, code per level),
 *      codebook (level, code, vector), health (level, metric, value), training_log.
 * Story: a fraction of an epoch of two-tower and autoencoder training, k-means per level on what the levels before have left,
 * RQ-VAE steps on resting embeddings, codes for every item, and a gate that a collapsed codebook does not pass.
 */
import type { Config } from '../config/config.js';
import { codebookFaults, codebookHealth, type CodebookHealth } from '../codebooks/health.js';
import { residualKmeans } from '../codebooks/kmeans.js';
import { BatchAssembler } from '../data/batches.js';
import { makeOptimizer } from '../engine/optim/make.js';
import { writeSafetensors } from '../engine/safetensors.js';
import { storedTensors, type ModelState } from '../engine/state.js';
import { trainedModel } from '../engine/gradients.js';
import { TrainingStep } from '../engine/step.js';
import { CascadeError } from '../errors.js';
import { dimensions } from '../layers/inputs.js';
import { codebookName, itemAutoencoder } from '../models/itemAutoencoder.js';
import { preRanker, studentBackbone, studentName } from '../models/registry.js';
import type { Stage, StageResult } from '../run/stage.js';
import { healthLines, writeCodes, writeHealth } from '../train/codebookTables.js';
import { fit, type FitResult, type TrainingLog } from '../train/fit.js';
import { encodeItems } from '../train/itemEncoding.js';
import { roles, rqVaeLoss, warmUpLoss } from '../train/objectives.js';
import { writeTrainingLog } from '../train/trainingLog.js';
import { Workbench } from '../train/workbench.js';

/** Part of the student's parameters that holds autoencoder and codes. */
const part = 'tarq';
/** What the warm-up trains and `distill` starts from. */
const isWarmedUp = (name: string) => /^(towers|tarq\/encoder|tarq\/decoder|tarq\/codes)\//.test(name);

/** Items that k-means looks at, at most: more would change the centres little. */
const kmeansSample = 20_000;

export async function trainCodebook(stage: Stage, config: Config): Promise<StageResult> {
  const bench = await Workbench.open(stage, config);
  const warmUp = await warmUpTowers(bench);
  const state = warmUp.best[roles.model]!;
  const items = trainingItems(bench);
  await startCodes(bench, state, items);
  const rqVae = await trainRqVae(bench, state, items);
  const health = await writeCodebook(bench, state);
  await writeTrainingLog(stage, { warm_up: warmUp.log, rq_vae: rqVae });
  passGate(config, health);
  return { lines: healthLines(health), data: { health } };
}

async function warmUpTowers(bench: Workbench): Promise<FitResult> {
  const { config, data } = bench;
  const { model, needs } = preRanker(studentName(config), config, bench.frame);
  const initial = Object.entries(model.initial(bench.initialStream('pre_ranker'))).filter(([name]) =>
    isWarmedUp(name),
  );
  const state = bench.newState(Object.fromEntries(initial), 'pre_ranker');
  const autoencoder = itemAutoencoder(config.codebook, dimensions(data.layout).shared);
  return fit(
    {
      name: 'warm_up',
      trained: { [roles.model]: state },
      loss: warmUpLoss(studentBackbone(config, bench.frame), autoencoder, part, data.layout),
      needs,
      primary: { shape: bench.block('a'), split: 'train' },
      epochs: config.codebook.warmUp,
    },
    bench.fitContext,
  );
}

/** Items that training has shown, ascending: codes are fitted on them and given to all. */
function trainingItems({ data }: Workbench): number[] {
  const seen = new Uint8Array(data.items.count);
  for (const entry of data.shards('a', 'train')) {
    for (const item of data.shard(entry).items) seen[item] = 1;
    data.keep([]);
  }
  return Array.from(seen.keys()).filter((item) => seen[item] === 1);
}

/** First codes: residual k-means on the latents of a sample of the training items. */
async function startCodes(bench: Workbench, state: ModelState, items: readonly number[]): Promise<void> {
  const { config, data, device } = bench;
  const { latentWidth, levels, codes, kmeansIterations } = config.codebook;
  const { latents } = await encodeItems(data, state, part, bench.codebook, device);
  const stream = bench.random('codebook/kmeans');
  const sample =
    items.length <= kmeansSample
      ? items
      : Array.from(stream.permutation(items.length).subarray(0, kmeansSample), (i) => items[i]!);
  const vectors = new Float32Array(sample.length * latentWidth);
  sample.forEach((item, i) => {
    vectors.set(latents.subarray(item * latentWidth, (item + 1) * latentWidth), i * latentWidth);
  });
  const centres = residualKmeans(
    vectors,
    latentWidth,
    { levels, codes, iterations: kmeansIterations },
    stream,
  );
  centres.forEach((codebook, level) => {
    state.layout.view(state.vector, `${part}/${codebookName(level)}`).set(codebook);
  });
}

/** RQ-VAE steps over random batches of items. Embeddings and towers get no gradient and rest. */
async function trainRqVae(
  bench: Workbench,
  state: ModelState,
  items: readonly number[],
): Promise<TrainingLog> {
  const { config, data, device, stage } = bench;
  const { steps, itemsPerStep, learningRate, commitment } = config.codebook;
  const optimizer = makeOptimizer({ kind: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
  const count = Math.min(itemsPerStep, items.length);
  const autoencoder = itemAutoencoder(config.codebook, dimensions(data.layout).shared);
  const step = new TrainingStep({
    name: 'rq_vae',
    trained: { [roles.model]: trainedModel(state, optimizer, () => learningRate) },
    frozen: {},
    loss: rqVaeLoss(autoencoder, part, data.layout, commitment, count),
    optimizer,
    learningRate: () => learningRate,
    clipNorm: 0,
    device,
    saveTo: stage.folder,
  });
  const assembler = new BatchAssembler(data, { matchCounts: false });
  const stream = bench.random('codebook/items');
  const task = stage.progress.begin('rq_vae', steps, 'steps');
  const losses: number[] = [];
  for (let number = 1; number <= steps; number++) {
    const batch = Array.from(stream.permutation(items.length).subarray(0, count), (i) => items[i]!);
    const { loss } = await step.take(assembler.assembleItems(batch), number);
    losses.push(loss);
    task.update(number, `loss ${loss.toFixed(3)}`);
  }
  task.end();
  await step.release();
  return { autoencoder: losses };
}

/** Codes for the whole corpus, their health, and the weights that `distill` starts from. */
async function writeCodebook(bench: Workbench, state: ModelState): Promise<CodebookHealth> {
  const { config, data, device, stage } = bench;
  const { levels, codes } = config.codebook;
  const encoded = await encodeItems(data, state, part, bench.codebook, device);
  const health = codebookHealth(encoded.codes, levels, codes, encoded.squaredErrors, encoded.variance);
  const codebooks = Array.from({ length: levels }, (_, level) =>
    state.layout.view(state.vector, `${part}/${codebookName(level)}`),
  );
  await stage.write('warm_up.safetensors', (path) =>
    writeSafetensors(path, { tensors: storedTensors(state), metadata: {} }),
  );
  await writeCodes(stage, data.items.ids, encoded.codes, codebooks, config.codebook);
  await writeHealth(stage, health);
  return health;
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
