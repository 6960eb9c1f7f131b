/** The student under settings of the codebook: what it serves is what it was trained on, and gradients go where the setting says. */
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { blockOf, eagerInputs, firstBatch, relativeError, stateOf } from '../../test/support/models.js';
import { testConfig } from '../../test/support/trainingConfig.js';
import { partsOf } from '../codebooks/product.js';
import type { EncodedData } from '../data/encodedData.js';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import { embedBlock } from '../layers/inputs.js';
import { roles } from '../train/objectives.js';
import { parametersOf, scoreBlock, trainBlock } from './preRanker.js';
import { preRanker } from './registry.js';

let data: EncodedData;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

function student(codebook: Record<string, unknown>) {
  const frame = { layout: data.layout, baseLogit: -0.7 };
  const { model, needs } = preRanker('student_tarq', testConfig({ codebook }), frame);
  const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
  const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
  const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
  const { parameters, rows } = models[roles.model]!;
  return { model, parameters, inputs: embedBlock(data.layout, rows, tensors, 'b') };
}

/** The gradient of logits and autoencoder loss for one parameter of the student. */
function gradientFor(name: string, codebook: Record<string, unknown>): Float32Array {
  const { model, parameters, inputs } = student(codebook);
  const loss = () => {
    const { logits, terms } = trainBlock(model, inputs, parameters, { mask: inputs.mask });
    return tf.add<tf.Scalar>(tf.sum(tf.mul(logits, inputs.mask)), terms.autoencoder!);
  };
  return valueAndGradients(loss, [parameters[name]!]).gradients[0]!.dataSync() as Float32Array;
}

const largest = (values: Float32Array) => Math.max(...values.map(Math.abs));

describe('the codebook of the student', () => {
  it.each([
    { distance: 'cosine' },
    { structure: 'product' },
    { structure: 'product', distance: 'cosine' },
    { updates: { kind: 'ema' } },
    { assignment: { kind: 'sinkhorn' } },
  ])('serves what it was trained on, to 1e-5: %o', (codebook) => {
    const { model, parameters, inputs } = student(codebook);
    const training = trainBlock(model, inputs, parameters, { mask: inputs.mask }).logits.dataSync();
    expect(relativeError(training, scoreBlock(model, inputs, parameters).dataSync())).toBeLessThan(1e-5);
  });

  it('gets gradients from every loss, or none at all when its codes are moving averages', () => {
    expect(largest(gradientFor('tarq/codes/0', {}))).toBeGreaterThan(1e-3);
    const averaged = { updates: { kind: 'ema' } };
    for (const name of ['tarq/codes/0', 'tarq/codes/2', 'tarq/usage/0'])
      expect(largest(gradientFor(name, averaged)), name).toBe(0);
    expect(largest(gradientFor('tarq/encoder/0/weight', averaged))).toBeGreaterThan(1e-3);
  });

  it('starts and moves the codes of a product within their parts', () => {
    const initial = preRanker('student_tarq', testConfig({ codebook: { structure: 'product' } }), {
      layout: data.layout,
      baseLogit: -0.7,
    }).model.initial(RandomStream.of(1, 'initial'));
    partsOf(3, 7).forEach((part, level) => {
      const gradient = gradientFor(`tarq/codes/${level}`, { structure: 'product' });
      const { values } = initial[`tarq/codes/${level}`]!;
      for (const numbers of [gradient, values]) {
        expect(largest(numbers.filter((_, i) => part[i % 7] === 0))).toBe(0);
        expect(largest(numbers.filter((_, i) => part[i % 7] === 1))).toBeGreaterThan(1e-3);
      }
    });
  });

  it('chooses other codes by direction than by distance', () => {
    const codes = (codebook: Record<string, unknown>) => {
      const { model, parameters, inputs } = student(codebook);
      const state = parametersOf(model.itemSide(inputs.item, parameters), 'tarq');
      return Array.from(state.codes!.dataSync());
    };
    expect(codes({ distance: 'cosine' })).not.toEqual(codes({}));
    // Sinkhorn balances training steps only: alone, an item has its nearest codes.
    expect(codes({ assignment: { kind: 'sinkhorn' } })).toEqual(codes({}));
  });
});
