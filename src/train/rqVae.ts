import { BatchAssembler } from '../data/batches.js';
import { trainedModel } from '../engine/gradients.js';
import { makeOptimizer } from '../engine/optim/make.js';
import type { ModelState } from '../engine/state.js';
import { TrainingStep } from '../engine/step.js';
import { dimensions } from '../layers/inputs.js';
import { itemAutoencoder } from '../models/itemAutoencoder.js';
import type { TrainingLog } from './fit.js';
import { roles, rqVaeLoss } from './objectives.js';
import type { Workbench } from './workbench.js';

/** RQ-VAE steps over random batches of items. Embeddings and towers get no gradient and rest. */
export async function trainRqVae(
  bench: Workbench,
  state: ModelState,
  items: readonly number[],
): Promise<TrainingLog> {
  const { config, data, device, stage, codes: coder } = bench;
  const { steps, itemsPerStep, learningRate, commitment } = config.codebook;
  const optimizer = makeOptimizer({ kind: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
  const count = Math.min(itemsPerStep, items.length);
  const autoencoder = itemAutoencoder(config.codebook, dimensions(data.layout).shared);
  const step = new TrainingStep({
    name: 'rq_vae',
    trained: { [roles.model]: trainedModel(state, optimizer, () => learningRate) },
    frozen: {},
    loss: rqVaeLoss(autoencoder, coder.part, data.layout, commitment, count),
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
