/** Latents and codes of every item of the corpus, by the engine, in chunks of one shape. */
import * as tf from '@tensorflow/tfjs';
import type { CodebookConfig } from '../config/config.js';
import { BatchAssembler } from '../data/batches.js';
import type { EncodedData } from '../data/encodedData.js';
import type { Device } from '../engine/device.js';
import { Forward } from '../engine/forward.js';
import type { ModelState } from '../engine/state.js';
import { quantise } from '../codebooks/residual.js';
import { embedItems } from '../layers/inputs.js';
import { itemAutoencoder } from '../models/itemAutoencoder.js';
import { parametersOf } from '../models/preRanker.js';
import { roles } from './objectives.js';

const itemsPerChunk = 1024;

export interface EncodedItems {
  /** [item, latent] */
  readonly latents: Float32Array;
  /** [item, level] */
  readonly codes: Int32Array;
  /** Mean squared length of what is left after each level. */
  readonly squaredErrors: readonly number[];
  /** Mean squared distance of the latents from their mean. */
  readonly variance: number;
}

/** Encodes all items with the autoencoder whose parameters stand under `part/`. */
export async function encodeItems(
  data: EncodedData,
  state: ModelState,
  part: string,
  { config, shared }: { readonly config: CodebookConfig; readonly shared: number },
  device: Device,
): Promise<EncodedItems> {
  const { levels, latentWidth } = config;
  const autoencoder = itemAutoencoder(config, shared);
  const forward = new Forward(
    'encode-items',
    (models, batch) => {
      const { parameters, rows } = models[roles.model]!;
      const own = parametersOf(parameters, part);
      const items = embedItems(data.layout, rows, batch);
      const latent = autoencoder.encode(autoencoder.input(items.shared as tf.Tensor2D), own);
      const { codes, residuals } = quantise(latent, autoencoder.codebooks(own));
      const errors = residuals.slice(1).map((residual) => tf.sum(tf.square(residual), 1));
      return { latent, codes: tf.stack([...codes], 1), errors: tf.stack(errors, 1) };
    },
    device,
  );
  const assembler = new BatchAssembler(data, { matchCounts: false });
  const { count } = data.items;
  const latents = new Float32Array(count * latentWidth);
  const codes = new Int32Array(count * levels);
  const sums = new Float64Array(levels);
  for (let start = 0; start < count; start += itemsPerChunk) {
    const chunk = Array.from({ length: Math.min(itemsPerChunk, count - start) }, (_, i) => start + i);
    const outputs = await forward.over({ [roles.model]: state })(assembler.assembleItems(chunk));
    latents.set(outputs.latent!.subarray(0, chunk.length * latentWidth), start * latentWidth);
    codes.set(outputs.codes!.subarray(0, chunk.length * levels), start * levels);
    for (let i = 0; i < chunk.length * levels; i++) sums[i % levels]! += outputs.errors![i]!;
  }
  await forward.release();
  return {
    latents,
    codes,
    squaredErrors: Array.from(sums, (sum) => sum / count),
    variance: variance(latents, latentWidth),
  };
}

function variance(vectors: Float32Array, width: number): number {
  const count = vectors.length / width;
  const mean = new Float64Array(width);
  vectors.forEach((value, i) => (mean[i % width]! += value / count));
  return vectors.reduce((sum, value, i) => sum + (value - mean[i % width]!) ** 2, 0) / count;
}
