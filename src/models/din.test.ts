import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { blockOf, cpu, eagerInputs, firstBatch, relativeError, stateOf } from '../../test/support/models.js';
import { testConfig } from '../../test/support/trainingConfig.js';
import type { EncodedData } from '../data/encodedData.js';
import { Forward } from '../engine/forward.js';
import { RandomStream } from '../engine/random.js';
import { embedBlock } from '../layers/inputs.js';
import { mlp } from '../layers/mlp.js';
import { meanPool } from '../layers/pool.js';
import { rankerScores, roles } from '../train/objectives.js';
import { teacherModel } from './registry.js';

let data: EncodedData;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

const din = { kind: 'din', width: 8, unit_hidden: 5, hidden: [9] };

function open(teacher: Record<string, unknown>) {
  const { ranker, needs } = teacherModel(testConfig({ teacher }), { layout: data.layout, baseLogit: -0.7 });
  const state = stateOf(data, ranker.initial(RandomStream.of(1, 'initial')));
  const batch = firstBatch(data, needs, [blockOf(data, 'b', 6)]);
  const { models, tensors } = eagerInputs({ [roles.teacher]: state }, batch);
  const { parameters, rows } = models[roles.teacher]!;
  const inputs = embedBlock(data.layout, rows, tensors, 'b');
  return { ranker, state, batch, parameters, inputs };
}

describe('DIN', () => {
  it('weighs behaviours by W2 ReLU(W1 [t ; h ; t - h ; t * h]), candidate by candidate', () => {
    const { ranker, parameters, inputs } = open(din);
    const { logits, vector } = ranker.rank(inputs, parameters);
    const shared = inputs.item.shared.shape.at(-1)!;
    const array = (x: tf.Tensor) => x.arraySync() as never;
    const t: number[][][] = array(inputs.item.shared);
    const h: number[][][] = array(inputs.sequence.x);
    const mask: number[][] = array(inputs.sequence.mask);
    // W1 of four parts from the three maps: what t - h would add is already in the first two.
    const ofT: number[][] = array(parameters['unit/candidate/weight']!);
    const ofH: number[][] = array(parameters['unit/behaviour/weight']!);
    const ofProduct: number[][] = array(parameters['unit/product']!);
    const b1: number[] = array(parameters['unit/behaviour/bias']!);
    const w2: number[][] = array(parameters['unit/out/weight']!);
    const b2: number[] = array(parameters['unit/out/bias']!);
    const sums = t.map((candidates, r) =>
      candidates.map((candidate) => {
        const sum = new Array<number>(shared).fill(0);
        h[r]!.forEach((behaviour, j) => {
          if (mask[r]![j] === 0) return;
          const hidden = b1.map((bias, u) => {
            let z = bias;
            for (let i = 0; i < shared; i++) {
              const [x, y] = [candidate[i]!, behaviour[i]!];
              z += x * ofT[i]![u]! + y * ofH[i]![u]! + x * y * ofProduct[i]![u]!;
            }
            return Math.max(0, z);
          });
          const weight = hidden.reduce((total, value, u) => total + value * w2[u]![0]!, b2[0]!);
          for (let i = 0; i < shared; i++) sum[i]! += weight * behaviour[i]!;
        });
        return sum;
      }),
    );
    const flat = tf.tensor2d(sums.flat(), [sums.length * sums[0]!.length, shared]);
    const interest = tf.add(
      tf.matMul(flat, parameters['interest/weight'] as tf.Tensor2D),
      parameters['interest/bias']!,
    );
    expect(relativeError(vector.dataSync(), interest.dataSync())).toBeLessThan(1e-5);

    const candidates = t[0]!.length;
    const each = (x: tf.Tensor2D) => tf.tile(tf.expandDims(x, 1), [1, candidates, 1]);
    const pool = meanPool(inputs.sequence.x, inputs.sequence.mask);
    const all = tf.concat([each(inputs.user), each(inputs.context), inputs.item.x, each(pool), vector], 2);
    const expected = tf.add(mlp(parameters, 'mlp', 2, all), parameters.bias!).dataSync();
    expect(relativeError(logits.dataSync(), expected)).toBeLessThan(1e-5);
  });

  it('starts like one map over the four parts: t - h is in the maps of t and of h', () => {
    const { ranker } = open(din);
    const initial = ranker.initial(RandomStream.of(1, 'initial'));
    const shared = data.layout.shared.length * data.layout.width;
    const whole = RandomStream.of(1, 'initial').uniforms(4 * shared * 5, 1 / Math.sqrt(4 * shared));
    const at = (part: number, i: number) => whole[part * shared * 5 + i]!;
    expect(initial['unit/candidate/weight']!.values[3]).toBeCloseTo(at(0, 3) + at(2, 3), 6);
    expect(initial['unit/behaviour/weight']!.values[7]).toBeCloseTo(at(1, 7) - at(2, 7), 6);
    expect(initial['unit/product']!.values[2]).toBeCloseTo(at(3, 2), 6);
  });
});

describe.each([
  ['attention', {}],
  ['attention with the cheap terms', { raw_cosine: 'recency', match_counts: true }],
  [
    'attention, nothing on',
    { self_attention: false, residual: false, soft_count: false, similarity_start: 0 },
  ],
  ['DIN', din],
  ['DIN with the cheap terms', { ...din, raw_cosine: 'plain', match_counts: true }],
])('teacher: %s', (_, teacher) => {
  it('scores alike traced and eager, and differently for different candidates', async () => {
    const { ranker, state, batch, parameters, inputs } = open(teacher);
    const forward = new Forward('teacher', rankerScores(ranker, data.layout, 'b'), cpu);
    const traced = await forward.over({ [roles.teacher]: state })(batch);
    const eager = ranker.rank(inputs, parameters);
    expect(relativeError(traced.logits!, eager.logits.dataSync())).toBeLessThan(1e-5);
    expect(relativeError(traced.vector!, eager.vector.dataSync())).toBeLessThan(1e-5);
    expect(new Set(eager.logits.dataSync()).size).toBeGreaterThan(20);
    await forward.release();
  });
});
