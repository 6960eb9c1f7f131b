/** Attention at codes: the table is the training graph, the tangent lies below what it touches, one code per item is exact attention. */
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { blockOf, eagerInputs, firstBatch, relativeError, stateOf } from '../../test/support/models.js';
import { studentConfig } from '../../test/support/trainingConfig.js';
import type { EncodedData } from '../data/encodedData.js';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import type { Parameters } from '../engine/state.js';
import { primed } from '../layers/primed.js';
import { embedBlock, type RequestInputs } from '../layers/inputs.js';
import { unit } from '../layers/normalize.js';
import { WithinRequestError } from '../metrics/withinRequestError.js';
import { roles } from '../train/objectives.js';
import { scoreBlock, trainBlock, type PreRanker } from './preRanker.js';
import { preRanker, type PreRankerName } from './registry.js';

let data: EncodedData;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

type Kind = 'prefix' | 'tangent';
type Opened = { model: PreRanker; inputs: RequestInputs; parameters: Record<string, tf.Tensor> };

/** A student with random values everywhere: weights that start at 0 would hide their terms. */
function open(
  kind: Kind,
  changes: Record<string, unknown> = {},
  losses: Record<string, unknown> = {},
): Opened {
  const config = studentConfig(kind, changes, losses);
  const name: PreRankerName = `student_${kind}`;
  const { model, needs } = preRanker(name, config, { layout: data.layout, baseLogit: -0.7 });
  const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
  const stream = RandomStream.of(2, 'perturbed');
  state.vector.forEach((value, i) => (state.vector[i] = value + 0.2 * stream.normal()));
  const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
  const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
  const { parameters, rows } = models[roles.model]!;
  return { model, inputs: embedBlock(data.layout, rows, tensors, 'b'), parameters: { ...parameters } };
}

const served = ({ model, inputs, parameters }: Opened) =>
  scoreBlock(model, inputs, parameters).dataSync() as Float32Array;
const trained = ({ model, inputs, parameters }: Opened) =>
  trainBlock(model, inputs, parameters, { mask: inputs.mask }).logits.dataSync() as Float32Array;

/** g cos(candidate, behaviour) + r[age], padding far below: [request, candidate, behaviour]. */
function exactLogits({ inputs, parameters }: Opened): tf.Tensor {
  const g = tf.exp(parameters['attention/log_similarity']!);
  const cosine = tf.matMul(unit(inputs.item.shared as tf.Tensor3D), unit(inputs.sequence.x), false, true);
  const recency = tf.reshape(primed(parameters, 'attention/recency'), [1, 1, -1]);
  const padding = tf.expandDims(tf.mul(tf.sub(1, inputs.sequence.mask), -1e9), 1);
  return tf.add(tf.add(tf.mul(cosine, g), recency), padding);
}

/** log(1 + Σ_j exp(g cos + r - g)): [request, candidate]. */
function exactCount(opened: Opened): Float32Array {
  const g = tf.exp(opened.parameters['attention/log_similarity']!);
  return tf.softplus(tf.sub(tf.logSumExp(exactLogits(opened), 2), g)).dataSync() as Float32Array;
}

/** The count term alone, with weight 1: all that adds to it is taken away. */
function countAlone(opened: Opened): Float32Array {
  const parameters: Record<string, tf.Tensor> = { ...opened.parameters };
  parameters['attention/log_scale'] = tf.scalar(-100);
  parameters['attention/bias'] = tf.scalar(0);
  parameters['attention/count'] = tf.tensor1d([0.1]);
  parameters['towers/log_scale'] = tf.scalar(-100);
  parameters['towers/bias'] = tf.scalar(0);
  return served({ ...opened, parameters });
}

/** Within-request error of the attention term. */
function errorOf({ model, inputs, parameters }: Opened): number {
  const { approximate, exact } = model.attentionTerm!(inputs, parameters);
  const error = new WithinRequestError();
  const candidates = inputs.mask.shape[1];
  const [a, x] = [approximate.dataSync(), exact.dataSync()];
  for (let r = 0; r < inputs.mask.shape[0]; r++) error.add(a, x, r * candidates, candidates);
  return error.value!;
}

describe.each(['tangent', 'prefix'] as const)('student %s', (kind) => {
  it.each([
    ['all terms', {}],
    ['without tangent', { tangent: false }],
    ['without soft count', { soft_count: false }],
    ['without straight-through', { straight_through: false }],
    ['without recency', { recency: false }],
    ['with the cheap terms', { raw_cosine: 'recency', match_counts: true }],
  ])('serves what it was trained on, to 1e-5: %s', (_, changes) => {
    const opened = open(kind, changes);
    expect(relativeError(served(opened), trained(opened))).toBeLessThan(1e-5);
  });

  it('never counts more than exact attention: the tangent of a convex function lies below it', () => {
    for (const codes of [2, 5, 20]) {
      const opened = open(kind, { codes });
      const exact = exactCount(opened);
      const mask = opened.inputs.mask.dataSync();
      let share = 0;
      countAlone(opened).forEach((count, i) => {
        if (!mask[i]) return;
        expect(count).toBeLessThanOrEqual(exact[i]! + 1e-5);
        share += count / exact[i]!;
      });
      expect(share).toBeGreaterThan(1); // and it counts
    }
  });

  it('gives the candidate a gradient through its code where straight_through says so', () => {
    const gradientNorm = (straight: boolean) => {
      const { model, inputs, parameters } = open(kind, { straight_through: straight, soft_count: false });
      const total = () =>
        tf.sum<tf.Scalar>(trainBlock(model, inputs, parameters, { mask: inputs.mask }).logits);
      const { gradients } = valueAndGradients(total, [inputs.item.shared]);
      return tf.norm(gradients[0]!).dataSync()[0]!;
    };
    expect(gradientNorm(false)).toBe(0);
    expect(gradientNorm(true)).toBeGreaterThan(1e-4);
  });
});

describe.each(['tangent', 'prefix'] as const)('student %s under a teacher', (kind) => {
  it('is drawn to its vector by reconstruction and alignment, and its centres are not moved', () => {
    const { model, inputs, parameters } = open(kind, {}, { alignment: 0.01 });
    const { mask } = inputs;
    const teacherVector = tf.randomNormal<tf.Rank.R3>([...mask.shape, 8], 0, 1, 'float32', 5);
    const score = () => trainBlock(model, inputs, parameters, { mask, teacherVector });
    const { vector, terms } = score();
    const distances = tf.sum(tf.square(tf.sub(vector!, teacherVector)), 2);
    const expected = tf.div(tf.sum(tf.mul(distances, mask)), tf.mul(2, tf.sum(mask)));
    expect(terms.reconstruction!.dataSync()[0]).toBeCloseTo(expected.dataSync()[0]!, 4);

    const moved = ['attention/head/weight', 'attention/codes/0', 'attention/value/bias'];
    for (const term of ['reconstruction', 'alignment']) {
      const { gradients } = valueAndGradients(
        () => score().terms[term]!,
        moved.map((name) => parameters[name]!),
      );
      const [head, centres, value] = gradients.map((gradient) => tf.norm(gradient).dataSync()[0]!);
      expect(head).toBeGreaterThan(1e-4);
      expect(value).toBeGreaterThan(1e-4);
      expect(centres).toBe(0);
    }
  });
});

describe('one code per item', () => {
  it('is exact target attention', () => {
    const candidates = 6 * 6;
    const opened = open('tangent', { codes: candidates });
    const { inputs, parameters } = opened;
    const shared = inputs.item.shared.shape.at(-1)!;
    const root = tf.exp(tf.div(parameters['attention/log_similarity']!, 2));
    const kernels = tf.reshape(tf.mul(unit(inputs.item.shared), root), [-1, shared]);
    const [requests, width] = inputs.item.shared.shape as [number, number];
    const exact: Opened = { ...opened, parameters: { ...parameters, 'attention/codes/0': kernels } };
    expect(kernels.shape[0]).toBe(requests * width);
    const mask = inputs.mask.dataSync();
    const expected = exactCount(exact).map((count, i) => count * mask[i]!);
    const counted = countAlone(exact).map((count, i) => count * mask[i]!);
    expect(relativeError(counted, expected)).toBeLessThan(1e-5);
    expect(errorOf(exact)).toBeLessThan(1e-10);
    expect(errorOf(opened)).toBeGreaterThan(1e-3);
  });
});

describe('no history', () => {
  it('leaves nothing of the attention terms but their bias', () => {
    const opened = open('tangent');
    const { inputs, parameters } = opened;
    const sequence = { ...inputs.sequence, mask: tf.zerosLike(inputs.sequence.mask) };
    const without: Parameters = { ...parameters, 'attention/bias': tf.scalar(0) };
    const towers = preRanker('two_tower', studentConfig('tangent'), {
      layout: data.layout,
      baseLogit: -0.7,
    }).model;
    const empty = { ...inputs, sequence };
    const alone = scoreBlock(towers, empty, without).dataSync();
    expect(relativeError(scoreBlock(opened.model, empty, without).dataSync(), alone)).toBeLessThan(1e-6);
  });
});
