/** RQ-VAE steps under each setting of the codebook, on the small test data. */
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { cpu, eagerInputs, stateOf } from '../../test/support/models.js';
import { testConfig } from '../../test/support/trainingConfig.js';
import type { EncodedData } from '../data/encodedData.js';
import { RandomStream } from '../engine/random.js';
import { parametersOf } from '../models/preRanker.js';
import { itemAutoencoder } from '../models/itemAutoencoder.js';
import { embedItems } from '../layers/inputs.js';
import { within } from '../codebooks/product.js';
import { BatchAssembler } from '../data/batches.js';
import { roles } from './objectives.js';
import { preRanker, studentCodes } from '../models/registry.js';
import { silentProgress } from '../run/progress.js';
import { codebooksOf, startCodes, trainingItems } from './codeFitting.js';
import { encodeItems, ItemEncoder } from './itemEncoding.js';
import { trainRqVae } from './rqVae.js';

let data: EncodedData;
const frame = () => ({ layout: data.layout, baseLogit: -0.5 });
const items = () => trainingItems(data);

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

/** Codes started and trained as the codebook stage does it. */
async function trained(codebook: Record<string, unknown>, seed = 3) {
  const config = testConfig({
    codebook: { items_per_step: 24, steps: 60, learning_rate: 0.01, ...codebook },
  });
  const coder = studentCodes(config, frame());
  const { model } = preRanker('student_tarq', config, frame());
  const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
  const encoder = new ItemEncoder(data, coder, cpu);
  await startCodes(state, coder, encoder, { items: items() }, config.codebook, RandomStream.of(2, 'start'));
  const random = (name: string) => RandomStream.of(seed, name);
  const bench = {
    config,
    data,
    device: cpu,
    codes: coder,
    random,
    stage: { progress: silentProgress, folder: '/tmp' },
  };
  const log = await trainRqVae(bench, state, items());
  return { config, state, coder, log, codes: codebooksOf(state, coder) };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('RQ-VAE steps', () => {
  it.each([
    ['gradients', {}],
    ['the rotation trick', { gradient: 'rotation' }],
    ['codes chosen by direction', { distance: 'cosine' }],
    ['a balanced assignment', { assignment: { kind: 'sinkhorn' } }],
    ['product codes', { structure: 'product', commitment: 1 }],
    ['moving averages', { updates: { kind: 'ema', decay: 0.9 } }],
  ])('lower the loss by %s', async (_, codebook) => {
    const { log } = await trained(codebook);
    expect(mean(log.autoencoder!.slice(-5))).toBeLessThan(0.95 * mean(log.autoencoder!.slice(0, 5)));
  });

  it('leave codes that are moving averages near the mean of the latents that choose them', async () => {
    const { state, coder, codes } = await trained({
      start: 'random',
      updates: { kind: 'ema', decay: 0.8 },
      learning_rate: 1e-5,
    });
    const { latents, codes: chosen } = await encodeItems(data, state, coder, cpu);
    const { width, levels } = coder;
    const [first] = codes;
    let errors = 0;
    let variance = 0;
    for (let code = 0; code < coder.codes; code++) {
      const members = items().filter((item) => chosen[item * levels] === code);
      for (let j = 0; j < width; j++) {
        const centre = mean(members.map((item) => latents[item * width + j]!));
        if (members.length === 0) continue;
        errors += (first![code * width + j]! - centre) ** 2;
        for (const item of members) variance += (latents[item * width + j]! - centre) ** 2 / members.length;
      }
    }
    expect(errors).toBeLessThan(0.2 * variance);
  });

  it('count restarts of dead codes in the log, at the steps that look for them', async () => {
    const settings = { start: 'random', codes: 12, dead_codes: { restart_below: 0.5, restart_every: 20 } };
    const { log } = await trained(settings);
    expect(log.restarts).toHaveLength(60);
    const [first, ...later] = log.restarts!.filter((_, i) => i % 20 === 19);
    expect(first).toBeGreaterThan(0);
    expect(log.restarts!.filter((count, i) => i % 20 !== 19 && count > 0)).toEqual([]);
    expect(Math.min(...later)).toBeLessThan(first!);
    expect((await trained({})).log).not.toHaveProperty('restarts');
  });

  it.each([{}, { updates: { kind: 'ema', decay: 0.9 } }, { start: 'random' }])(
    'keep product codes within their parts: %o',
    async (codebook) => {
      const deadCodes = { restart_below: 0.3, restart_every: 10 };
      const { codes, coder } = await trained({ structure: 'product', dead_codes: deadCodes, ...codebook });
      codes.forEach((book, level) => {
        expect(within(coder.parts![level], book)).toEqual(book);
        expect(book.some((value) => value !== 0)).toBe(true);
      });
    },
  );

  it('with 4,096 codes and few items train, restart and code them', async () => {
    const deadCodes = { restart_below: 0.5, restart_every: 5 };
    const many = { codes: 4096, steps: 10, start: 'random', dead_codes: deadCodes };
    const { state, coder, log } = await trained(many);
    expect(log.autoencoder!.every(Number.isFinite)).toBe(true);
    expect(log.restarts![4]).toBeGreaterThan(0);
    const { codes, squaredErrors, variance } = await encodeItems(data, state, coder, cpu);
    expect(Math.max(...codes)).toBeGreaterThan(255);
    expect(squaredErrors.at(-1)!).toBeLessThan(0.3 * variance);
  });

  it('with dropped levels leave a first level that stands for the item better by itself', async () => {
    /** Mean squared error of what the first code alone decodes to. */
    const firstLevelError = async (dropout: number, seed: number) => {
      const { state, config } = await trained({ quantizer_dropout: dropout, steps: 300 }, seed);
      const batch = new BatchAssembler(data, { matchCounts: false }).assembleItems(items());
      const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
      const { parameters, rows } = models[roles.model]!;
      const own = parametersOf(parameters, 'tarq');
      const { shared } = embedItems(data.layout, rows, tensors);
      const autoencoder = itemAutoencoder(config.codebook, shared.shape[1]!);
      const input = autoencoder.input(tf.slice(shared, [0, 0], [items().length, -1]) as tf.Tensor2D);
      const { chosen } = autoencoder.quantise(autoencoder.encode(input, own), own);
      return tf.mean(tf.square(tf.sub(autoencoder.decode(chosen[0]!, own), input))).dataSync()[0]!;
    };
    // One seed in eight says the opposite: .977 ± .019 of the error without.
    const ratios: number[] = [];
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8])
      ratios.push((await firstLevelError(1, seed)) / (await firstLevelError(0, seed)));
    expect(mean(ratios)).toBeLessThan(0.99);
  });
});
