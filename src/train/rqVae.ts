import { keptLevels } from '../codebooks/levelDropout.js';
import { BatchAssembler, shortestLists } from '../data/batches.js';
import { modelWithRestingRows, type FeedBatch } from '../engine/gradients.js';
import { makeOptimizer } from '../engine/optim/make.js';
import type { ModelState } from '../engine/state.js';
import { TrainingStep } from '../engine/step.js';
import { dimensions } from '../layers/inputs.js';
import { itemAutoencoder } from '../models/itemAutoencoder.js';
import type { Stage } from '../run/stage.js';
import { deviceTableBytes } from './budget.js';
import { keepCodes, upkeepEvery } from './codeUpkeep.js';
import type { TrainingLog } from './fitPlan.js';
import { ItemEncoder } from './itemEncoding.js';
import { keptLevelsInput, roles, rqVaeLoss } from './objectives.js';
import type { Workbench } from './workbench.js';

type RqVaeBench = Pick<Workbench, 'config' | 'data' | 'device' | 'codes' | 'random'> & {
  readonly stage: Pick<Stage, 'progress' | 'folder'>;
};

/** RQ-VAE steps over random batches of items. Embeddings and towers get no gradient and rest. */
export async function trainRqVae(
  bench: RqVaeBench,
  state: ModelState,
  items: readonly number[],
): Promise<TrainingLog> {
  const { config, data, device, stage, codes: coder } = bench;
  const { steps, itemsPerStep, learningRate, quantizerDropout } = config.codebook;
  const optimizer = makeOptimizer({ kind: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
  const count = Math.min(itemsPerStep, items.length);
  const autoencoder = itemAutoencoder(config.codebook, dimensions(data.layout).coded);
  const model = modelWithRestingRows(state, optimizer, () => learningRate);
  const step = new TrainingStep({
    name: 'rq_vae',
    trained: { [roles.model]: model },
    frozen: {},
    loss: rqVaeLoss(autoencoder, coder.part, data.layout, config.codebook, count),
    optimizer,
    learningRate: () => learningRate,
    clipNorm: 0,
    device,
    deviceTableBytes: deviceTableBytes(config.training),
    saveTo: stage.folder,
  });
  const needs = { matchCounts: false, itemVectors: true };
  const assembler = new BatchAssembler(data, needs, shortestLists, 'until the next');
  const stream = bench.random('codebook/items');
  const dropout = bench.random('codebook/level dropout');
  /** The items of a step, with the levels that each may use. */
  const batchOf = (chosen: readonly number[]): FeedBatch => {
    const batch = assembler.assembleItems(chosen);
    if (quantizerDropout === 0) return batch;
    const kept = keptLevels(count, coder.levels, quantizerDropout, dropout);
    const input = { spec: { shape: [count], dtype: 'float32' as const }, data: kept };
    return { ...batch, tensors: { ...batch.tensors, [keptLevelsInput]: input } };
  };
  const task = stage.progress.begin('rq_vae', steps, 'steps');
  const every = upkeepEvery(config.codebook);
  const encoder = new ItemEncoder(data, coder, device);
  const random = (name: string) => bench.random(`codebook/${name}`);
  const upkeep = { codebook: config.codebook, coder, encoder, items, random };
  const losses: number[] = [];
  const restarted: number[] = [];
  for (let number = 1; number <= steps; number++) {
    const batch = Array.from(stream.permutation(items.length).subarray(0, count), (i) => items[i]!);
    const { loss } = await step.take(batchOf(batch), number);
    losses.push(loss);
    const due = every > 0 && number % every === 0;
    if (due) await step.toHost();
    restarted.push(due ? (await keepCodes(upkeep, model, number, batch)).restarts : 0);
    task.update(number, `loss ${loss.toFixed(3)}`);
  }
  task.end();
  await step.toHost();
  await step.release();
  await encoder.release();
  return { autoencoder: losses, ...(every > 0 && { restarts: restarted }) };
}
