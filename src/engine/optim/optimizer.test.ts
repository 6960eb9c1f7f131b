import { beforeAll, describe, expect, it } from 'vitest';
import { valuesOf } from '../../../test/support/models.js';
import { tf } from '../tf.js';
import type { OptimizerConfig } from '../../config/config.js';
import { MemoryTable } from '../tables/embeddings.js';
import { RandomStream } from '../random.js';
import { modelState } from '../state.js';
import { settledState, trainedModel, type FeedBatch, type LossFunction } from '../gradients.js';
import { TrainingStep } from '../step.js';
import { makeOptimizer } from './make.js';
import type { Optimizer } from './optimizer.js';
import { scheduleShare } from './schedule.js';

/** Each optimiser once more, written as its paper has it, one number at a time in double precision. */
type Reference = (p: number, g: number, state: number[], step: number, rate: number) => number;

const references: { config: OptimizerConfig; reference: Reference }[] = [
  {
    config: { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    reference: (p, g, state, step, rate) => {
      state[0] = 0.9 * (state[0] ?? 0) + 0.1 * g;
      state[1] = 0.999 * (state[1] ?? 0) + 0.001 * g * g;
      const m = state[0] / (1 - 0.9 ** step);
      const v = state[1] / (1 - 0.999 ** step);
      return p - (rate * m) / (Math.sqrt(v) + 1e-8);
    },
  },
  {
    config: { kind: 'adamw', learningRate: 0.01, beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1 },
    reference: (p, g, state, step, rate) => {
      state[0] = 0.8 * (state[0] ?? 0) + 0.2 * g;
      state[1] = 0.99 * (state[1] ?? 0) + 0.01 * g * g;
      const change = state[0] / (1 - 0.8 ** step) / (Math.sqrt(state[1] / (1 - 0.99 ** step)) + 1e-6);
      return p - rate * 0.1 * p - rate * change;
    },
  },
  {
    config: { kind: 'adagrad', learningRate: 0.05, initialAccumulator: 0.1, epsilon: 1e-10 },
    reference: (p, g, state, _, rate) => {
      state[0] = (state[0] ?? 0.1) + g * g;
      return p - (rate * g) / (Math.sqrt(state[0]) + 1e-10);
    },
  },
  {
    config: { kind: 'sgd', learningRate: 0.05, momentum: 0.9 },
    reference: (p, g, state, _, rate) => {
      state[0] = 0.9 * (state[0] ?? 0) + g;
      return p - rate * state[0];
    },
  },
  {
    config: { kind: 'sgd', learningRate: 0.05, momentum: 0 },
    reference: (p, g, _state, _step, rate) => p - rate * g,
  },
];

const rows = 5;
const width = 3;
const targets = [
  RandomStream.of(1, 'dense').normals(4),
  RandomStream.of(1, 'table').normals(rows * width),
] as const;

/** Half the squared distance of parameters and rows from fixed targets: the gradient is the difference. */
const loss: LossFunction = ({ model }, batch) => {
  const dense = tf.sub(model!.parameters.w!, tf.tensor1d(targets[0]));
  const table = tf.sub(model!.rows, batch.target!);
  const distance = tf.add(tf.sum(tf.square(dense)), tf.sum(tf.mul(tf.square(table), batch.mask!)));
  return { distance: { value: tf.mul(distance, 0.5), weight: 1 } };
};

/** The rows `ids` of the table with their targets; padded by two. */
function batchOf(ids: readonly number[]): FeedBatch {
  const height = ids.length + 2;
  const target = new Float32Array(height * width);
  ids.forEach((id, i) => {
    target.set(targets[1].subarray(id * width, (id + 1) * width), i * width);
  });
  const mask = Float32Array.from({ length: height }, (_, i) => (i < ids.length ? 1 : 0));
  const rowIds = new Int32Array(height);
  rowIds.set(ids);
  return {
    rowIds,
    rowCount: ids.length,
    tensors: {
      target: { spec: { shape: [height, width], dtype: 'float32' }, data: target },
      mask: { spec: { shape: [height, 1], dtype: 'float32' }, data: mask },
    },
  };
}

interface Settings {
  readonly clipNorm?: number;
  readonly untouched?: 'drift' | 'rest';
  readonly optimizerOn?: 'host' | 'graph';
}

function start(
  config: OptimizerConfig,
  { clipNorm = 0, untouched = 'drift', optimizerOn = 'host' }: Settings = {},
) {
  const { drift, ...resting } = makeOptimizer(config);
  const optimizer: Optimizer = untouched === 'drift' && drift ? { ...resting, drift } : resting;
  const rate = () => config.learningRate;
  const table = MemoryTable.random(rows, width, 1, RandomStream.of(2, 'table'));
  const state = modelState({ w: { shape: [4], values: Float32Array.of(1, -2, 3, 0.5) } }, table);
  const model = trainedModel(state, optimizer, rate);
  const step = new TrainingStep({
    name: 'test',
    trained: { model },
    frozen: {},
    loss,
    optimizer,
    learningRate: rate,
    clipNorm,
    device: { provider: 'cpu', threads: 1 },
    saveTo: '/tmp',
    optimizerOn,
  });
  return { state, step, model };
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(
  references.flatMap((r) =>
    (['host', 'graph'] as const).map((optimizerOn) => {
      const momentum = 'momentum' in r.config && r.config.momentum ? ' with momentum' : '';
      return [`${r.config.kind}${momentum} on the ${optimizerOn}`, r, optimizerOn] as const;
    }),
  ),
)('%s', (_, { config, reference }, optimizerOn) => {
  it('moves dense parameters and rows as the formula says, over five steps', async () => {
    const { state, step } = start(config, { optimizerOn });
    const expected = [Array.from(state.vector), Array.from(valuesOf(state.table))] as const;
    const states = [state.vector, valuesOf(state.table)].map((values) =>
      Array.from(values, () => [] as number[]),
    );
    for (let number = 1; number <= 5; number++) {
      await step.take(batchOf([0, 1, 2, 3, 4]), number);
      expected.forEach((values, part) => {
        values.forEach((value, i) => {
          values[i] = reference(
            value,
            value - targets[part]![i]!,
            states[part]![i]!,
            number,
            config.learningRate,
          );
        });
      });
    }
    Array.from(state.vector).forEach((value, i) => expect(value).toBeCloseTo(expected[0][i]!, 5));
    Array.from(valuesOf(state.table)).forEach((value, i) => expect(value).toBeCloseTo(expected[1][i]!, 5));
    await step.release();
  });

  it('takes rows that batches leave out where the dense optimiser would have taken them', async () => {
    const { model, step } = start(config, { optimizerOn });
    const expected = Array.from(valuesOf(model.state.table));
    const states = expected.map(() => [] as number[]);
    const stream = RandomStream.of(8, 'batches');
    const touchedBefore = new Set<number>();
    for (let number = 1; number <= 60; number++) {
      const ids = [0, 1, 2, 3, 4].filter((row) => stream.uniform() < (row === 4 ? 0.04 : 0.3));
      if (ids.length === 0) ids.push(0);
      ids.forEach((row) => touchedBefore.add(row));
      await step.take(batchOf(ids), number);
      expected.forEach((value, i) => {
        const row = Math.floor(i / width);
        if (!touchedBefore.has(row)) return;
        const gradient = ids.includes(row) ? value - targets[1][i]! : 0;
        expected[i] = reference(value, gradient, states[i]!, number, config.learningRate);
      });
    }
    const { table } = settledState(model, 60);
    expect(touchedBefore.size).toBe(5);
    Array.from(valuesOf(table)).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 3));
    await step.release();
  });

  it('does the same to rows whether they rest or drift, and to dense parameters, where every step touches all of them', async () => {
    const settings = [{ untouched: 'rest' }, { untouched: 'drift' }] as const;
    const [resting, drifting] = settings.map((one) => start(config, { ...one, optimizerOn }));
    for (let number = 1; number <= 12; number++) {
      for (const { step } of [resting!, drifting!]) await step.take(batchOf([0, 1, 2, 3, 4]), number);
    }
    const table = valuesOf(resting!.state.table);
    expect(table).toEqual(valuesOf(drifting!.state.table));
    // The dense formula over the same numbers: a row of the table is nothing else than more parameters.
    const dense = Array.from(valuesOf(start(config).state.table));
    const states = dense.map(() => [] as number[]);
    for (let number = 1; number <= 12; number++) {
      dense.forEach((value, i) => {
        dense[i] = reference(value, value - targets[1][i]!, states[i]!, number, config.learningRate);
      });
    }
    table.forEach((value, i) => expect(value).toBeCloseTo(dense[i]!, 5));
    for (const { step } of [resting!, drifting!]) await step.release();
  });

  it('leaves untouched rows where they are when they are told to rest', async () => {
    const { model, step } = start(config, { untouched: 'rest', optimizerOn });
    const before = valuesOf(model.state.table);
    await step.take(batchOf([1, 3]), 1);
    await step.take(batchOf([3]), 2);
    const { table } = settledState(model, 2);
    const rowOf = (values: Float32Array, row: number) => values.subarray(row * width, (row + 1) * width);
    for (const row of [0, 2, 4]) expect(rowOf(valuesOf(table), row)).toEqual(rowOf(before, row));
    expect(rowOf(valuesOf(table), 1)).toEqual(rowOf(valuesOf(model.state.table), 1));
    expect(rowOf(valuesOf(table), 1)).not.toEqual(rowOf(before, 1));
    await step.release();
  });
});

describe.each(['host', 'graph'] as const)('clipping on the %s', (optimizerOn) => {
  it('scales the whole gradient to the norm, and leaves a smaller one alone', async () => {
    const config = { kind: 'sgd', learningRate: 1, momentum: 0 } as const;
    const { state, step } = start(config, { clipNorm: 0.5, optimizerOn });
    const before = { vector: state.vector.slice(), table: valuesOf(state.table) };
    const { gradientNorm } = await step.take(batchOf([0, 1]), 1);
    const moved = [
      ...state.vector.map((value, i) => value - before.vector[i]!),
      ...valuesOf(state.table).map((value, i) => value - before.table[i]!),
    ];
    expect(gradientNorm).toBeGreaterThan(0.5);
    expect(Math.hypot(...moved)).toBeCloseTo(0.5, 5);
    await step.release();

    const loose = start(config, { clipNorm: 1e6, optimizerOn });
    const free = start(config, { optimizerOn });
    await loose.step.take(batchOf([0, 1]), 1);
    await free.step.take(batchOf([0, 1]), 1);
    expect(loose.state.vector).toEqual(free.state.vector);
  });
});

describe('schedules', () => {
  it('rise over the warm-up and fall to their final share', () => {
    const share = (kind: 'constant' | 'linear' | 'cosine', step: number) =>
      scheduleShare({ kind, warmUpSteps: 10, finalShare: 0.2 }, step, 110);
    for (const kind of ['constant', 'linear', 'cosine'] as const) {
      expect(share(kind, 1)).toBeCloseTo(0.1);
      expect(share(kind, 10)).toBe(1);
    }
    expect(share('constant', 110)).toBe(1);
    expect(share('linear', 60)).toBeCloseTo(0.6);
    expect(share('linear', 110)).toBeCloseTo(0.2);
    expect(share('cosine', 60)).toBeCloseTo(0.6);
    expect(share('cosine', 35)).toBeCloseTo(1 - (0.8 * (1 - Math.SQRT1_2)) / 2);
    expect(share('cosine', 110)).toBeCloseTo(0.2);
  });
});
