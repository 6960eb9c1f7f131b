/** Latents and codes of every item of the corpus, by the engine, in chunks of one shape. */
import { tf } from '../engine/tf.js';
import { BatchAssembler, shortestLists } from '../data/batches.js';
import type { EncodedData } from '../data/encodedData.js';
import type { Device } from '../engine/devices/device.js';
import type { TensorData } from '../engine/compile.js';
import { Forward } from '../engine/forward.js';
import type { FeedBatch } from '../engine/gradients.js';
import type { ModelState } from '../engine/state.js';
import { codedBy, embedItems } from '../layers/inputs.js';
import { squaredDistances } from '../codebooks/residual.js';
import type { ItemCodes } from '../models/itemCodes.js';
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

/** Codes of all items under a student's present state. */
export async function encodeItems(
  data: EncodedData,
  state: ModelState,
  coder: ItemCodes,
  device: Device,
): Promise<EncodedItems> {
  const encoder = new ItemEncoder(data, coder, device);
  const encoded = await encodeAll(data, state, coder, encoder);
  await encoder.release();
  return encoded;
}

/** The same with an encoder that is kept. */
export async function encodeAll(
  data: EncodedData,
  state: ModelState,
  { levels, width }: ItemCodes,
  encoder: ItemEncoder,
): Promise<EncodedItems> {
  const { count } = data.items;
  const latents = new Float32Array(count * width);
  const codes = new Int32Array(count * levels);
  const sums = new Float64Array(levels);
  const all = Array.from({ length: count }, (_, item) => item);
  await encoder.each(all, { state }, (outputs, start, size) => {
    latents.set(outputs.latent!.subarray(0, size * width), start * width);
    codes.set(outputs.codes!.subarray(0, size * levels), start * levels);
    for (let i = 0; i < size * levels; i++) sums[i % levels]! += outputs.errors![i]!;
  });
  return {
    latents,
    codes,
    squaredErrors: Array.from(sums, (sum) => sum / count),
    variance: variance(latents, width),
  };
}

/** Latents and codes of given items, compiled once and usable for many states. */
export class ItemEncoder {
  private readonly forward: Forward;
  private readonly assembler: BatchAssembler;

  /** With `distances` it tells those of items from the codes, where these are of one level. */
  constructor(
    data: EncodedData,
    private readonly coder: ItemCodes,
    device: Device,
    { distances = false }: { readonly distances?: boolean } = {},
  ) {
    const needs = { matchCounts: false, itemVectors: true };
    this.assembler = new BatchAssembler(data, needs, shortestLists, 'until the next');
    this.forward = new Forward(
      'encode-items',
      (models, batch) => {
        const { parameters, rows } = models[roles.model]!;
        const own = parametersOf(parameters, coder.part);
        const items = embedItems(data.layout, rows, batch);
        const latent = coder.latent(codedBy.item(items) as tf.Tensor2D, own);
        const { codes, residuals } = coder.quantise(latent, own);
        const errors = residuals.slice(1).map((residual) => tf.sum(tf.square(residual), 1));
        return {
          latent,
          codes: tf.stack([...codes], 1),
          errors: tf.stack(errors, 1),
          ...(distances &&
            coder.levels === 1 && { distances: squaredDistances(latent, coder.codebooks(own)[0]!) }),
        };
      },
      device,
    );
  }

  get engineMs(): number {
    return this.forward.busy.ms;
  }

  get compileMs(): number {
    return this.forward.compiling.ms;
  }

  /** Latents [item, width], codes [item, level] and, if asked for, squared distances [item, code] of these items. */
  async encode(
    items: readonly number[],
    model: EncodedModel,
  ): Promise<{ latents: Float32Array; codes: Int32Array; distances?: Float32Array }> {
    const { levels, width, codes: perLevel } = this.coder;
    const latents = new Float32Array(items.length * width);
    const codes = new Int32Array(items.length * levels);
    let distances: Float32Array | undefined;
    await this.each(items, model, (outputs, start, size) => {
      latents.set(outputs.latent!.subarray(0, size * width), start * width);
      codes.set(outputs.codes!.subarray(0, size * levels), start * levels);
      if (!outputs.distances) return;
      distances ??= new Float32Array(items.length * perLevel);
      distances.set(outputs.distances.subarray(0, size * perLevel), start * perLevel);
    });
    return { latents, codes, ...(distances && { distances }) };
  }

  async each(
    items: readonly number[],
    { state, prepare }: EncodedModel,
    take: (outputs: Record<string, TensorData>, start: number, size: number) => void,
  ): Promise<void> {
    for (let start = 0; start < items.length; start += itemsPerChunk) {
      const chunk = items.slice(start, start + itemsPerChunk);
      const batch = this.assembler.assembleItems(chunk);
      prepare?.(batch);
      take(await this.forward.over({ [roles.model]: state })(batch), start, chunk.length);
    }
  }

  release(): Promise<void> {
    return this.forward.release();
  }
}

export interface EncodedModel {
  readonly state: ModelState;
  /** Sees each batch before its rows are read. */
  readonly prepare?: (batch: FeedBatch) => void;
}

function variance(vectors: Float32Array, width: number): number {
  const count = vectors.length / width;
  const mean = new Float64Array(width);
  vectors.forEach((value, i) => (mean[i % width]! += value / count));
  return vectors.reduce((sum, value, i) => sum + (value - mean[i % width]!) ** 2, 0) / count;
}
