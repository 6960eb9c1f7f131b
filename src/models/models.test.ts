import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { studentConfig, testConfig } from '../../test/support/trainingConfig.js';
import { testData } from '../../test/support/encoded.js';
import { blockOf, cpu, eagerInputs, firstBatch, relativeError, stateOf } from '../../test/support/models.js';
import { lossWeights } from '../config/lossWeights.js';
import type { EncodedData } from '../data/encodedData.js';
import { Forward } from '../engine/forward.js';
import { RandomStream } from '../engine/random.js';
import { recordGradients, trainedModel, type LossFunction, type StepOptions } from '../engine/gradients.js';
import { compile } from '../engine/compile.js';
import { makeOptimizer } from '../engine/optim/make.js';
import { embedBlock } from '../layers/inputs.js';
import { preRankerLoss, rankerScores, roles } from '../train/objectives.js';
import { scoreBlock, trainBlock } from './preRanker.js';
import { preRanker, preRankerNames, teacherModel, type PreRankerName } from './registry.js';

let data: EncodedData;
const frame = () => ({ layout: data.layout, baseLogit: -0.7 });

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

const configOf = (name: PreRankerName, changes: Record<string, unknown> = {}) => {
  const kind = /^student_(tarq|prefix|tangent)$/.exec(name)?.[1];
  return kind ? studentConfig(kind as 'tarq' | 'prefix' | 'tangent', changes) : testConfig();
};

describe.each(preRankerNames)('%s', (name) => {
  const build = (config = configOf(name)) => {
    const named = preRanker(name, config, frame());
    return { ...named, state: stateOf(data, named.model.initial(RandomStream.of(1, 'initial'))) };
  };

  it('scores alike by its three sides, traced and eager', async () => {
    const { model, needs, state } = build();
    const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
    const score = (models: Parameters<LossFunction>[0], tensors: Parameters<LossFunction>[1]) => {
      const { parameters, rows } = models[roles.model]!;
      return { logits: scoreBlock(model, embedBlock(data.layout, rows, tensors, 'b'), parameters) };
    };
    const forward = new Forward('test', score, cpu);
    const traced = await forward.over({ [roles.model]: state })(batch);
    const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
    const eager = score(models, tensors).logits.dataSync();
    expect(relativeError(traced.logits!, eager)).toBeLessThan(1e-5);
    expect(new Set(eager).size).toBeGreaterThan(20);
    await forward.release();
  });

  it('trains on the score that its three sides give (parity to 1e-5)', () => {
    const { model, needs, state } = build();
    const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
    const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
    const { parameters, rows } = models[roles.model]!;
    const inputs = embedBlock(data.layout, rows, tensors, 'b');
    const training = trainBlock(model, inputs, parameters, { mask: inputs.mask }).logits.dataSync();
    expect(relativeError(training, scoreBlock(model, inputs, parameters).dataSync())).toBeLessThan(1e-5);
  });

  it.each([true, false])(
    'T10: padding does not matter, nor the order where age does not (recency: %s)',
    (recency) => {
      const { model, needs, state } = build(
        configOf(name, { recency, raw_cosine: recency ? 'recency' : 'plain' }),
      );
      const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
      const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
      const { parameters, rows } = models[roles.model]!;
      const score = (changed: typeof tensors) =>
        scoreBlock(model, embedBlock(data.layout, rows, changed, 'b'), parameters).dataSync();
      const behaviours = tensors['b/behaviours']!;
      const mask = tensors['b/behaviour_mask']!;
      const padded = tf.tidy(() =>
        tf.add(behaviours, tf.mul(tf.cast(tf.sub(1, mask), 'int32'), tf.scalar(1, 'int32'))),
      );
      const expected = score(tensors);
      expect(relativeError(score({ ...tensors, 'b/behaviours': padded }), expected)).toBeLessThan(1e-6);
      if (name === 'two_tower_cosine_recency' || (recency && name.startsWith('student'))) return; // age counts in them
      const reversed = { 'b/behaviours': tf.reverse(behaviours, 1), 'b/behaviour_mask': tf.reverse(mask, 1) };
      expect(relativeError(score({ ...tensors, ...reversed }), expected)).toBeLessThan(1e-6);
    },
  );

  it('gives a finite score to a user without history', () => {
    const { model, needs, state } = build();
    const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
    const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
    const { parameters, rows } = models[roles.model]!;
    const inputs = embedBlock(data.layout, rows, tensors, 'b');
    const empty = { ...inputs, sequence: { ...inputs.sequence, mask: tf.zerosLike(inputs.sequence.mask) } };
    expect(scoreBlock(model, empty, parameters).dataSync().every(Number.isFinite)).toBe(true);
  });
});

describe('a whole training step of the student, with teacher, both sets and every loss term', () => {
  const config = testConfig({
    distill: {
      losses: { click_b: 0.5, tutor: 0.7, alignment: 0.3, alignment_attached: true, reconstruction: 0.9 },
    },
  });
  const losses = lossWeights(config.distill);

  const options = (joint: boolean): StepOptions => {
    const { model } = preRanker('student_tarq', config, frame());
    const { ranker } = teacherModel(config, frame());
    const optimizer = makeOptimizer(config.training.optimizer);
    const student = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
    const teacher = stateOf(data, ranker.initial(RandomStream.of(2, 'initial')), 5);
    return {
      name: 'test',
      trained: {
        [roles.model]: trainedModel(student, optimizer, () => 1e-3),
        ...(joint && { [roles.teacher]: trainedModel(teacher, optimizer, () => 1e-3) }),
      },
      frozen: joint ? {} : { [roles.teacher]: teacher },
      loss: preRankerLoss({ model, layout: data.layout, losses, usesB: true, teacher: { ranker, joint } }),
      optimizer,
      learningRate: () => 1e-3,
      clipNorm: 0,
      device: cpu,
      saveTo: '/tmp',
    };
  };
  const batch = () =>
    firstBatch(data, { matchCounts: false }, [blockOf(data, 'a', 8), blockOf(data, 'b', 4)], true);
  const statesOf = ({ trained, frozen }: StepOptions) => ({
    ...Object.fromEntries(Object.entries(trained).map(([name, { state }]) => [name, state])),
    ...frozen,
  });

  /** Loss, terms and the gradient of every parameter, by name. */
  const gradients = (step: StepOptions, inputs: Parameters<typeof recordGradients>[1]) => {
    const { loss, terms, byModel } = recordGradients(step, inputs);
    return {
      loss,
      ...Object.fromEntries(Object.entries(terms).map(([name, { value }]) => [`term ${name}`, value])),
      ...Object.fromEntries(
        byModel.flatMap(({ name, layout, dense, rows }) => [
          ...layout.entries.map((entry, i) => [`d ${name}/${entry.name}`, dense[i]!] as const),
          [`d ${name}/rows`, rows] as const,
        ]),
      ),
    };
  };

  it.each([true, false])(
    'has the loss and gradients of the eager CPU backend (joint teacher: %s)',
    async (joint) => {
      const step = options(joint);
      const feed = batch();
      const { inputs } = eagerInputs(statesOf(step), feed);
      const eager = gradients(step, inputs);
      const specs = Object.fromEntries(
        Object.entries(inputs).map(([name, { shape, dtype }]) => [
          name,
          { shape, dtype: dtype as 'float32' | 'int32' },
        ]),
      );
      const graph = await compile('test', specs, (tensors) => gradients(step, tensors), cpu);
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, tensor]) => [
          name,
          tensor.dataSync() as Float32Array | Int32Array,
        ]),
      );
      const traced = await graph.run(feeds);
      await graph.release();
      expect(Object.keys(traced).filter((name) => name.startsWith('term'))).toHaveLength(joint ? 11 : 9);
      for (const [name, tensor] of Object.entries(eager)) {
        expect(relativeError(traced[name]!, tensor.dataSync()), name).toBeLessThan(2e-4);
      }
    },
  );

  it('T8: distillation losses leave a frozen teacher out and reach every code and the encoder when attached', () => {
    const step = options(true);
    const { inputs } = eagerInputs(statesOf(step), batch());
    const only =
      (names: readonly string[], loss: LossFunction): LossFunction =>
      (models, tensors) =>
        Object.fromEntries(Object.entries(loss(models, tensors)).filter(([name]) => names.includes(name)));
    const norm = (tensor: tf.Tensor) => tf.norm(tensor).dataSync()[0]!;

    const dist = gradients({ ...step, loss: only(['alignment_b', 'reconstruction_b'], step.loss) }, inputs);
    for (const [name, tensor] of Object.entries(dist)) {
      if (name.startsWith(`d ${roles.teacher}/`)) expect(norm(tensor), name).toBe(0);
    }
    const aligned = gradients({ ...step, loss: only(['alignment_b'], step.loss) }, inputs) as Record<
      string,
      tf.Tensor
    >;
    for (let level = 0; level < 3; level++) {
      const perCode = tf.norm(aligned[`d ${roles.model}/tarq/codes/${level}`]!, 'euclidean', 1).dataSync();
      expect(
        perCode.every((length) => length > 0),
        `codes of level ${level}`,
      ).toBe(true);
    }
    expect(norm(aligned[`d ${roles.model}/tarq/encoder/0/weight`]!)).toBeGreaterThan(0);

    const detached = testConfig({ distill: { losses: { alignment: 0.3 } } });
    const { model } = preRanker('student_tarq', detached, frame());
    const loss = preRankerLoss({
      model,
      layout: data.layout,
      losses: lossWeights(detached.distill),
      usesB: false,
      teacher: { ranker: teacherModel(detached, frame()).ranker, joint: false },
    });
    const shipped = gradients({ ...step, loss: only(['alignment_a'], loss) }, inputs) as Record<
      string,
      tf.Tensor
    >;
    expect(norm(shipped[`d ${roles.model}/tarq/encoder/0/weight`]!)).toBe(0);
    expect(norm(shipped[`d ${roles.model}/tarq/query/weight`]!)).toBeGreaterThan(0);
  });

  it('agrees with finite differences along random directions', () => {
    const step = options(false);
    const states = statesOf(step);
    const { inputs } = eagerInputs(states, batch());
    const { byModel } = recordGradients(step, inputs);
    // Autoencoder and alignment move with the codes that argmin chose, which a finite step may change: left to T8 and their own tests.
    const smooth: LossFunction = (models, tensors) => {
      const terms = step.loss(models, tensors);
      return { click_a: terms.click_a!, click_b: terms.click_b!, tutor: terms.tutor! };
    };
    const smoothGradients = recordGradients({ ...step, loss: smooth }, inputs).byModel[0]!;
    expect(byModel).toHaveLength(1);
    const lossAt = (vector: tf.Tensor) =>
      recordGradients(
        { ...step, loss: smooth },
        { ...inputs, [`vector:${roles.model}`]: vector },
      ).loss.dataSync()[0]!;
    const gradient = smoothGradients.layout.pack(smoothGradients.dense);
    const { entries } = smoothGradients.layout;
    const stream = RandomStream.of(4, 'directions');
    for (const part of [
      'towers/user/0/weight',
      'towers/log_scale',
      'tarq/head/weight',
      'tarq/value/1/weight',
      'tarq/gates',
      'tarq/log_similarity',
    ]) {
      const entry = entries.find(({ name }) => name === part)!;
      const direction = new Float32Array(smoothGradients.layout.size);
      direction.set(stream.normals(entry.size), entry.offset);
      const along = tf.tensor1d(direction);
      const vector = inputs[`vector:${roles.model}`]!;
      const h = 1e-2 / Math.sqrt(entry.size);
      const slope =
        (lossAt(tf.add(vector, tf.mul(along, h))) - lossAt(tf.sub(vector, tf.mul(along, h)))) / (2 * h);
      const expected = tf.sum(tf.mul(gradient, along)).dataSync()[0]!;
      expect(Math.abs(slope - expected), part).toBeLessThan(2e-3 + 0.02 * Math.abs(expected));
    }
  });
});

describe('the teacher', () => {
  it('scores traced as eager, and its vector depends on the candidate', async () => {
    const config = testConfig();
    const { ranker } = teacherModel(config, frame());
    const state = stateOf(data, ranker.initial(RandomStream.of(2, 'initial')));
    const batch = firstBatch(data, { matchCounts: false }, [blockOf(data, 'b', 6)]);
    const forward = new Forward('teacher', rankerScores(ranker, data.layout, 'b'), cpu);
    const traced = await forward.over({ [roles.teacher]: state })(batch);
    const { models, tensors } = eagerInputs({ [roles.teacher]: state }, batch);
    const eager = rankerScores(ranker, data.layout, 'b')(models, tensors);
    expect(relativeError(traced.logits!, eager.logits!.dataSync())).toBeLessThan(1e-5);
    expect(relativeError(traced.vector!, eager.vector!.dataSync())).toBeLessThan(1e-5);
    const vector = eager.vector as tf.Tensor3D;
    const spread = tf.mean(
      tf.sum(tf.squaredDifference(vector, tf.tile(tf.mean(vector, 1, true), [1, vector.shape[1], 1])), 2),
    );
    expect(spread.dataSync()[0]).toBeGreaterThan(1e-4);
    await forward.release();
  });
});
