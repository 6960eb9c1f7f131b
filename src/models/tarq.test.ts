/** What a correct TARQ must show (tarq.md, part 3): T1-T4 exactly, T9 after training. */
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { blockOf, cpu, eagerInputs, firstBatch, relativeError, stateOf } from '../../test/support/models.js';
import { newFolder } from '../../test/support/program.js';
import { testConfig } from '../../test/support/trainingConfig.js';
import { lossWeights } from '../config/lossWeights.js';
import type { EncodedData } from '../data/encodedData.js';
import { valueAndGradients } from '../engine/autodiff.js';
import { RandomStream } from '../engine/random.js';
import { primed } from '../layers/primed.js';
import { attend } from '../layers/attention.js';
import { embedBlock } from '../layers/inputs.js';
import { linear } from '../layers/linear.js';
import { mlp } from '../layers/mlp.js';
import { dot, unit } from '../layers/normalize.js';
import { silentProgress } from '../run/progress.js';
import { batchesInPlace } from '../train/batches/batchMaker.js';
import { fit } from '../train/fit.js';
import { preRankerLoss, preRankerScores, roles } from '../train/objectives.js';
import { squaredDistances } from '../codebooks/residual.js';
import { itemAutoencoder } from './itemAutoencoder.js';
import { parametersOf, scoreBlock } from './preRanker.js';
import { preRanker, teacherModel } from './registry.js';

let data: EncodedData;
const frame = () => ({ layout: data.layout, baseLogit: -0.7 });

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

describe('T1: one level with one code per item', () => {
  it('gives each candidate the target attention of its own latent', () => {
    const candidates = 5 * 4;
    const config = testConfig({
      codebook: { levels: 1, codes: candidates },
      distill: { student: { level_gates: false, recency: true } },
    });
    const { model, needs } = preRanker('student_tarq', config, frame());
    const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
    const batch = firstBatch(data, needs, [{ ...blockOf(data, 'b', 4), candidates: 5 }]);
    const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
    const { parameters, rows } = models[roles.model]!;
    const inputs = embedBlock(data.layout, rows, tensors, 'b');
    const shared = inputs.item.shared.shape.at(-1)!;

    // The candidates' own latents are the codebook.
    const autoencoder = itemAutoencoder(config.codebook, shared);
    const own = parametersOf(parameters, 'tarq');
    const flat = tf.reshape<tf.Rank.R2>(inputs.item.shared, [-1, shared]);
    const latents = autoencoder.encode(autoencoder.input(flat), own);
    const withCodes = { ...parameters, 'tarq/codes/0': latents };

    // Target attention with these latents as queries, written out.
    const { x, mask } = inputs.sequence;
    const perRequest = (y: tf.Tensor) => tf.reshape<tf.Rank.R3>(y, [4, 5, y.shape.at(-1)!]);
    const decoded = tf.div(autoencoder.decode(latents, own), Math.sqrt(shared));
    const similarity = tf.mul(
      tf.matMul(perRequest(decoded), unit(x), false, true),
      tf.exp(own.log_similarity!),
    );
    const bias = tf.add(similarity, tf.reshape(primed(own, 'recency'), [1, 1, -1]));
    const vector = attend({
      queries: perRequest(linear(own, 'query', latents)),
      keys: linear(own, 'key', x) as tf.Tensor3D,
      values: linear(own, 'value/0', x) as tf.Tensor3D,
      mask,
      heads: 2,
      bias,
    });
    const projection = unit(mlp(own, 'projection', 2, inputs.item.x));
    const interaction = tf.add(
      tf.mul(dot(unit(linear(own, 'head', vector)), projection), tf.exp(own.log_scale!)),
      own.bias!,
    );
    const towers = preRanker('two_tower', config, frame()).model;
    const expected = tf.add(scoreBlock(towers, inputs, parameters), interaction).dataSync();

    expect(relativeError(scoreBlock(model, inputs, withCodes).dataSync(), expected)).toBeLessThan(1e-6);
    // Watched as exact, once the similarity of the decoded latent, which a decoder may miss, is left out.
    const term = model.attentionTerm!(inputs, { ...withCodes, 'tarq/log_similarity': tf.scalar(-100) });
    expect(relativeError(term.approximate.dataSync(), term.exact.dataSync())).toBeLessThan(1e-5);
  });
});

describe('sums of attended codes', () => {
  const stream = RandomStream.of(7, 'attention');
  const keys = tf.tensor3d(stream.normals(9 * 8), [1, 9, 8]);
  const values = tf.tensor3d(stream.normals(9 * 8), [1, 9, 8]);
  const mask = tf.tensor2d([1, 1, 1, 1, 1, 1, 1, 0, 0], [1, 9]);
  const levels = [stream.normals(8), stream.normals(8), stream.normals(8)].map((x) =>
    tf.tensor3d(x, [1, 1, 8]),
  );
  const whole = levels.reduce((sum, x) => tf.add(sum, x));
  const attended = (queries: tf.Tensor3D) => attend({ queries, keys, values, mask, heads: 2 });
  const largest = (x: tf.Tensor) => tf.max(tf.abs(x)).dataSync()[0]!;

  it('T2: are not the attention of the summed code', () => {
    const sum = levels.map(attended).reduce((a, b) => tf.add(a, b));
    expect(largest(tf.sub(sum, attended(whole)))).toBeGreaterThan(0.5);
  });

  it('T3: become it where attention is linear, which softmax is for small queries', () => {
    const mean = attended(tf.zerosLike(whole));
    const small = 1e-3;
    const deviation = (query: tf.Tensor3D) => tf.div(tf.sub(attended(tf.mul(query, small)), mean), small);
    const sum = levels.map(deviation).reduce((a, b) => tf.add(a, b));
    const exact = deviation(whole);
    expect(largest(tf.sub(sum, exact))).toBeLessThan(0.01 * largest(exact));
  });

  it('T4: as products of unnormalised weights they are it exactly', () => {
    const weights = (query: tf.Tensor3D, head: number) => {
      const part = (x: tf.Tensor3D) => tf.slice(x, [0, 0, head * 4], [-1, -1, 4]);
      return tf.mul(
        tf.exp(tf.div(tf.matMul(part(query), part(keys), false, true), 2)),
        tf.expandDims(mask, 1),
      );
    };
    const recombined = [0, 1].map((head) => {
      const product = levels.map((level) => weights(level, head)).reduce((a, b) => tf.mul(a, b));
      const normalised = tf.div<tf.Tensor3D>(product, tf.sum(product, 2, true));
      return tf.matMul(normalised, tf.slice(values, [0, 0, head * 4], [-1, -1, 4]));
    });
    const difference = tf.sub(tf.concat(recombined, 2), attended(whole));
    expect(largest(difference)).toBeLessThan(1e-5);
  });
});

describe('in training', () => {
  it('looks up in personal codebooks what its codes would give by attending themselves, with the same gradients', () => {
    const gradientsWith = (alignmentRequests: number) => {
      const config = testConfig({ distill: { losses: { alignment_requests: alignmentRequests } } });
      const { model, needs } = preRanker('student_tarq', config, frame());
      const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
      const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
      const { models, tensors } = eagerInputs({ [roles.model]: state }, batch);
      const { parameters, rows } = models[roles.model]!;
      const names = Object.keys(parameters);
      const stream = RandomStream.of(4, 'weights');
      const inputs = embedBlock(data.layout, rows, tensors, 'b');
      const [requests, candidates] = inputs.mask.shape;
      const teacherVector = tf.tensor3d(stream.normals(requests * candidates * 8), [requests, candidates, 8]);
      const weights = tf.tensor2d(stream.normals(requests * candidates), [requests, candidates]);
      const score = (...[first, ...values]: tf.Tensor[]) => {
        const own = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
        const embedded = embedBlock(data.layout, first as tf.Tensor2D, tensors, 'b');
        const { logits } = model.trainScore!(embedded, own, { mask: embedded.mask, teacherVector });
        return tf.sum<tf.Scalar>(tf.mul(logits, weights));
      };
      const leaves = [rows, ...names.map((name) => parameters[name]!)];
      const { value, gradients } = valueAndGradients(() => score(...leaves), leaves);
      return { names: ['value', 'rows', ...names], tensors: [value, ...gradients] };
    };
    const [lookedUp, attended] = [gradientsWith(6), gradientsWith(5)];
    attended.tensors.forEach((tensor, i) => {
      const name = attended.names[i]!;
      // A bias of keys moves no softmax: its gradient is the rounding of numbers as large as those of the keys' weights.
      const comparable = name.replace('key/bias', 'key/weight');
      const sizes = tf.abs(attended.tensors[attended.names.indexOf(comparable)]!).dataSync();
      const floor = name === comparable ? undefined : Math.max(...sizes);
      const error = relativeError(lookedUp.tensors[i]!.dataSync(), tensor.dataSync(), floor);
      expect(error, name).toBeLessThan(1e-5);
    });
  });
});

describe('T9: the alignment that ships finds no trivial solution', () => {
  it('keeps raw and personal codes apart and the assignment decided, after training', async () => {
    const config = testConfig({ distill: { losses: { alignment: 0.01 } } });
    const { model, needs } = preRanker('student_tarq', config, frame());
    const { ranker } = teacherModel(config, frame());
    const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
    const loss = preRankerLoss({
      model,
      layout: data.layout,
      losses: lossWeights(config.distill),
      usesB: false,
      teacher: { ranker, joint: false },
    });
    const { best } = await fit(
      {
        name: 'student',
        trained: { [roles.model]: state },
        frozen: { [roles.teacher]: stateOf(data, ranker.initial(RandomStream.of(2, 'initial')), 5) },
        loss,
        needs,
        primary: { shape: blockOf(data, 'a', 8), split: 'train' },
        epochs: 8,
        validation: {
          score: preRankerScores(model, data.layout, 'a'),
          shape: blockOf(data, 'a', 8),
          patience: 9,
        },
      },
      {
        data,
        batches: batchesInPlace(data),
        seed: 1,
        training: config.training,
        device: cpu,
        checkpointFolder: newFolder('t9'),
        saveTo: '/tmp',
        progress: silentProgress,
        closeLater: () => undefined,
      },
    );
    const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
    const { models, tensors } = eagerInputs({ [roles.model]: best[roles.model]! }, batch);
    const { parameters, rows } = models[roles.model]!;
    const own = parametersOf(parameters, 'tarq');
    const inputs = embedBlock(data.layout, rows, tensors, 'b');
    const autoencoder = itemAutoencoder(config.codebook, inputs.item.shared.shape.at(-1)!);
    const latents = autoencoder.encode(autoencoder.input(tf.reshape(inputs.item.shared, [-1, 18])), own);
    const [first] = autoencoder.codebooks(own);
    const meanDistance = (x: tf.Tensor2D) => tf.mean(squaredDistances(x, x)).dataSync()[0]!;
    const spread = (x: tf.Tensor2D) => meanDistance(x) / tf.mean(tf.sum(tf.square(x), 1)).dataSync()[0]!;
    expect(spread(first!)).toBeGreaterThan(0.2);

    const personal = model.userSide(inputs.user, inputs.context, inputs.sequence, parameters)[
      'tarq/codebook'
    ] as tf.Tensor3D;
    const lengths = tf.sum(inputs.sequence.mask, 1).dataSync();
    const request = lengths.findIndex((length) => length >= 4);
    const table = tf.slice(personal, [request, 0, 0], [1, config.codebook.codes, -1]);
    expect(spread(tf.reshape(table, [config.codebook.codes, -1]))).toBeGreaterThan(0.02);

    const distances = squaredDistances(latents, first!);
    const assignment = tf.softmax(
      tf.neg(tf.mul(distances, tf.div(config.distill.losses.alignmentSharpness, tf.mean(distances)))),
    );
    const entropy = tf
      .mean(tf.neg(tf.sum(tf.mul(assignment, tf.log(tf.add(assignment, 1e-9))), 1)))
      .dataSync()[0]!;
    expect(entropy).toBeLessThan(0.95 * Math.log(config.codebook.codes));
  });
});
