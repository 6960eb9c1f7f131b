/** Students whose items are coded by the user's own vectors: every kind serves what it was trained on, and the vectors alone decide. */
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import {
  blockOf,
  cpu,
  eagerInputs,
  firstBatch,
  relativeError,
  stateOf,
  valuesOf,
} from '../../test/support/models.js';
import { studentConfig } from '../../test/support/trainingConfig.js';
import type { EncodedData } from '../data/encodedData.js';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import type { ModelState } from '../engine/state.js';
import { primed } from '../layers/primed.js';
import { embedBlock, type RequestInputs } from '../layers/inputs.js';
import { unit } from '../layers/normalize.js';
import { distinctItems, startCodes, trainingItems } from '../train/codeFitting.js';
import { encodeItems, ItemEncoder } from '../train/itemEncoding.js';
import { roles } from '../train/objectives.js';
import { scoreBlock, trainBlock, type PreRanker } from './preRanker.js';
import { preRanker, studentCodes } from './registry.js';

const vectorWidth = 5;
const kinds = ['tarq', 'prefix', 'tangent'] as const;
type Kind = (typeof kinds)[number];

let data: EncodedData;
const frame = () => ({ layout: data.layout, baseLogit: -0.7 });

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData({ vectorWidth });
});

function newState(kind: Kind, seed = 3): ModelState {
  const { model } = preRanker(`student_${kind}`, studentConfig(kind), frame());
  const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')), seed);
  const stream = RandomStream.of(2, 'perturbed');
  state.vector.forEach((value, i) => (state.vector[i] = value + 0.2 * stream.normal()));
  return state;
}

interface Opened {
  readonly model: PreRanker;
  readonly inputs: RequestInputs;
  readonly parameters: Record<string, tf.Tensor>;
}

function open(kind: Kind, changes: Record<string, unknown> = {}): Opened {
  const config = studentConfig(kind, changes, { alignment: 0.01 });
  const { model, needs } = preRanker(`student_${kind}`, config, frame());
  const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
  const { models, tensors } = eagerInputs({ [roles.model]: newState(kind) }, batch);
  const { parameters, rows } = models[roles.model]!;
  return { model, inputs: embedBlock(data.layout, rows, tensors, 'b'), parameters: { ...parameters } };
}

describe.each(kinds)('student %s coded by the vectors of the user', (kind) => {
  it('serves what it was trained on, to 1e-5', () => {
    const { model, inputs, parameters } = open(kind);
    const teacherVector = tf.tensor3d(RandomStream.of(4, 'teacher').normals(6 * 5 * 8), [6, 5, 8]);
    const trained = trainBlock(model, inputs, parameters, { mask: inputs.mask, teacherVector });
    expect(
      relativeError(scoreBlock(model, inputs, parameters).dataSync(), trained.logits.dataSync()),
    ).toBeLessThan(1e-5);
    for (const term of ['alignment', 'reconstruction'])
      expect(trained.terms[term]!.dataSync()[0]).toBeGreaterThan(0);
  });

  it('gives the same codes whatever is learned, and others for other vectors', async () => {
    const coder = studentCodes(studentConfig(kind), frame());
    const start = newState(kind);
    const encoder = new ItemEncoder(data, coder, cpu);
    const settings = { start: 'kmeans', kmeansIterations: 10 } as const;
    const sample = distinctItems(data, trainingItems(data));
    await startCodes(start, coder, encoder, sample, settings, RandomStream.of(5, 'start'));
    await encoder.release();
    const codesIn = async (other: EncodedData, state: ModelState) =>
      (await encodeItems(other, state, coder, cpu)).codes;
    const codes = await codesIn(data, start);
    expect(new Set(codes).size).toBeGreaterThan(3);

    const learned = { ...start, table: newState(kind, 8).table };
    expect(valuesOf(learned.table)).not.toEqual(valuesOf(start.table));
    expect(await codesIn(data, learned)).toEqual(codes);
    expect(await codesIn(testData({ vectorWidth, seed: 2 }), start)).not.toEqual(codes);
  });

  it('looks at candidates and behaviours through the vectors: their length alone changes nothing, their direction does', () => {
    const { model, inputs, parameters } = open(kind);
    const scored = (change: (vectors: tf.Tensor) => tf.Tensor) => {
      const { item, sequence } = inputs;
      const changed = {
        ...inputs,
        item: { ...item, vectors: change(item.vectors!) },
        sequence: { ...sequence, vectors: change(sequence.vectors!) as tf.Tensor3D },
      };
      return scoreBlock(model, changed, parameters).dataSync();
    };
    const before = scored((vectors) => vectors);
    expect(
      relativeError(
        scored((vectors) => tf.mul(vectors, 3)),
        before,
      ),
    ).toBeLessThan(1e-5);
    expect(
      relativeError(
        scored((vectors) => tf.reverse(vectors, 2)),
        before,
      ),
    ).toBeGreaterThan(1e-3);
  });
});

describe('the soft count', () => {
  it('is exact attention over the vectors where each candidate has a code of its own, and teaches embeddings nothing', () => {
    const candidates = 6 * 5;
    const opened = open('tangent', { codes: candidates });
    const { model, inputs } = opened;
    const { item, sequence } = inputs;
    const g = tf.exp(opened.parameters['attention/log_similarity']!);
    const kernels = tf.mul(unit(item.vectors!), tf.sqrt(g));
    const parameters = {
      ...opened.parameters,
      'attention/codes/0': tf.reshape(kernels, [candidates, vectorWidth]),
      'attention/log_scale': tf.scalar(-100),
      'attention/bias': tf.scalar(0),
      'attention/count': tf.tensor1d([0.1]),
      'towers/log_scale': tf.scalar(-100),
      'towers/bias': tf.scalar(0),
    };
    const cosine = tf.matMul(unit(item.vectors as tf.Tensor3D), unit(sequence.vectors!), false, true);
    const bias = tf.add(
      tf.reshape(primed(opened.parameters, 'attention/recency'), [1, 1, -1]),
      tf.expandDims(tf.mul(tf.sub(1, sequence.mask), -1e9), 1),
    );
    const logits = tf.add(tf.mul(cosine, g), bias);
    const expected = tf.mul(tf.softplus(tf.sub(tf.logSumExp(logits, 2), g)), inputs.mask).dataSync();
    const counted = tf.mul(scoreBlock(model, inputs, parameters), inputs.mask).dataSync();
    expect(relativeError(counted, expected)).toBeLessThan(1e-5);

    const { gradients } = valueAndGradients(
      () => tf.sum<tf.Scalar>(trainBlock(model, inputs, parameters, { mask: inputs.mask }).logits),
      [sequence.x],
    );
    expect(tf.norm(gradients[0]!).dataSync()[0]).toBeLessThan(1e-6);
  });
});

describe('items to fit codes on', () => {
  it('count once where their vectors are the same, with the root of how many', () => {
    const { width, values } = data.vectors!;
    const alike = values.slice();
    for (const item of [4, 9, 20, 31]) alike.set(values.subarray(0, width), item * width);
    const { items: entities, transform, layout } = data;
    const same = { items: entities, transform, layout, vectors: { width, values: alike } };
    const { items, weights } = distinctItems(same, [0, 1, 4, 9, 20]);
    expect(items).toEqual([0, 1]);
    expect(Array.from(weights)).toEqual([2, 1]);
  });
});
