import * as tf from '@tensorflow/tfjs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { valuesOf } from '../../../test/support/models.js';
import type { OptimizerConfig } from '../../config/config.js';
import { encodeOnnx } from '../onnx.js';
import { makeOptimizer } from '../optim/make.js';
import { optimise } from '../passes/index.js';
import { RandomStream } from '../random.js';
import { recordStep, stepInputs } from '../recordStep.js';
import { modelState } from '../state.js';
import { TrainingStep } from '../step.js';
import { MemoryTable } from '../tables/embeddings.js';
import { MemoryRows } from '../tables/rowStore.js';
import { trace } from '../trace/index.js';
import {
  modelWithRestingRows,
  trainedModel,
  type FeedBatch,
  type LossFunction,
  type StepOptions,
} from '../gradients.js';
import { examine } from './availability.js';
import type { Device } from './device.js';
import { relativeError } from './deviceCheck.js';

const { usable, why } = await examine('webgpu');
const webgpu: Device = { provider: 'webgpu', threads: 1 };
const cpu: Device = { provider: 'cpu', threads: 1 };

const width = 5;
const rate = (step: number) => 0.02 / Math.sqrt(step);
const optimizers: Record<string, OptimizerConfig> = {
  adam: { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  adamw: { kind: 'adamw', learningRate: 0.01, beta1: 0.8, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
  adagrad: { kind: 'adagrad', learningRate: 0.05, initialAccumulator: 0.1, epsilon: 1e-10 },
  momentum: { kind: 'sgd', learningRate: 0.01, momentum: 0.9 },
};

/** Rows through the weights should come out as x, and near the frozen model's and the resting model's rows. */
const loss: LossFunction = ({ model, other, resting, frozen }, { x, mask }) => {
  const out = (rows: tf.Tensor) =>
    tf.mul(tf.matMul(rows as tf.Tensor2D, model!.parameters.w as tf.Tensor2D), mask!);
  const error = (rows: tf.Tensor, target: tf.Tensor) =>
    tf.sum<tf.Scalar>(tf.square(tf.sub(out(rows), tf.mul(target, mask!))));
  return {
    data: { value: error(model!.rows, x!), weight: 1 },
    other: { value: error(other!.rows, frozen!.rows), weight: 0.5 },
    resting: { value: error(model!.rows, tf.add(resting!.rows, resting!.parameters.w!)), weight: 0.3 },
  };
};

interface Settings {
  readonly rows?: number;
  readonly untouched?: 'drift' | 'rest';
  readonly deviceTableBytes?: number;
}

function start(
  device: Device,
  config: OptimizerConfig,
  { rows = 40, untouched = 'drift', deviceTableBytes = 2 ** 20 }: Settings = {},
) {
  const { drift, ...others } = makeOptimizer(config);
  const optimizer = untouched === 'drift' && drift ? { ...others, drift } : others;
  const stateFrom = (seed: number, shape: readonly number[]) => {
    const stream = RandomStream.of(seed, 'state');
    const values = stream.normals(
      shape.reduce((a, b) => a * b),
      0.3,
    );
    return modelState({ w: { shape, values } }, MemoryTable.random(rows, width, 1, stream));
  };
  const trained = {
    model: trainedModel(stateFrom(1, [width, width]), optimizer, rate),
    other: trainedModel(stateFrom(2, [1]), optimizer, rate),
    resting: modelWithRestingRows(stateFrom(3, [width]), optimizer, rate),
  };
  const options: StepOptions = {
    name: 'test',
    trained,
    frozen: { frozen: stateFrom(4, [1]) },
    loss,
    optimizer,
    learningRate: rate,
    clipNorm: 0.5,
    device,
    deviceTableBytes,
    saveTo: mkdtempSync(join(tmpdir(), 'cascade-tables-')),
  };
  return { options, trained, step: new TrainingStep(options) };
}

/** Rows of step `number`, padded with row 0 as batches are: row 0 itself in every other step, most rows now and then, some never. */
function batchOf(number: number): FeedBatch {
  const ids = [number % 2 === 0 ? 0 : 1, 2, 3 + (number % 3), 6 + (number % 7), 13 + ((number * 5) % 11)];
  const height = ids.length + 3;
  const rowIds = new Int32Array(height);
  rowIds.set(ids);
  return {
    rowIds,
    rowCount: ids.length,
    tensors: {
      x: {
        spec: { shape: [height, width], dtype: 'float32' },
        data: RandomStream.of(number, 'x').normals(height * width),
      },
      mask: {
        spec: { shape: [height, 1], dtype: 'float32' },
        data: Float32Array.from({ length: height }, (_, i) => (i < ids.length ? 1 : 0)),
      },
    },
  };
}

/** All numbers of the models' tables, by name: weights, slots, and since when rows hold. */
const tablesOf = ({ trained }: ReturnType<typeof start>) =>
  Object.entries(trained).flatMap(([name, { rows }]) =>
    rows.store instanceof MemoryRows
      ? Object.entries(rows.store.arrays()).map(([key, values]) => [`${name}: ${key}`, values] as const)
      : [[`${name}: at rest`, valuesOf(rows.store.table)] as const],
  );

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.skipIf(!usable)(`tables on the device${usable ? '' : ` (not run: ${why})`}`, () => {
  it.each([
    ['adam', 'drift'],
    ['adam', 'rest'],
    ['adamw', 'drift'],
    ['adagrad', 'drift'],
    ['momentum', 'drift'],
  ] as const)(
    'end as those of the processor, also when they were read between: %s, %s',
    async (name, untouched) => {
      const results = [];
      for (const device of [cpu, webgpu]) {
        const training = start(device, optimizers[name]!, { untouched });
        const { step, trained } = training;
        expect(step.tables !== null).toBe(device === webgpu);
        for (let number = 1; number <= 12; number++) {
          await step.take(batchOf(number), number);
          if (number !== 5) continue;
          await step.toHost();
          // As work between steps does: on one model's rows, and in vain for the device, which goes on from its own.
          trained.model.rows.bringUpTo(number, Int32Array.of(0, 4, 8), 3);
        }
        await step.toHost();
        await step.release();
        results.push(tablesOf(training));
      }
      const [expected, actual] = results;
      expect(expected!.length).toBe(2 * (2 + makeOptimizer(optimizers[name]!).slots.length) + 1);
      expected!.forEach(([key, values], i) => {
        const [, found] = actual![i]!;
        if (key.endsWith('since')) expect(touchedLast(found), key).toEqual(touchedLast(values));
        else expect(relativeError(found, values), key).toBeLessThan(1e-5);
      });
    },
  );

  it('do not cross: the batch, its row ids and what these have missed are all that moves, whatever the tables hold', async () => {
    const movedOf = async (settings: Settings) => {
      const { step } = start(webgpu, optimizers.adam!, settings);
      const moved = [];
      for (let number = 1; number <= 3; number++)
        moved.push((await step.take(batchOf(number), number)).bytesMoved);
      await step.release();
      return moved;
    };
    const height = 8;
    const batch = height * width + height;
    const numbers = 3 + 8; // Adam's scalars; loss, three terms, two of them weighted too, two norms
    const dense = 3 * (width * width + 1 + width) + 1;
    const tables = (rows: number) => (3 + 3 + 1 + 1) * (rows + 1) * width;
    const ids = height;
    const missed = 2 * height * 4; // of two models, four numbers of each row
    for (const rows of [40, 4000]) {
      const [first, ...others] = await movedOf({ rows });
      expect(others).toEqual(Array(2).fill(4 * (batch + ids + missed + numbers)));
      expect(first).toBe(others[0]! + 4 * (dense + tables(rows)));
      const resting = await movedOf({ rows, untouched: 'rest' });
      expect(resting[1]).toBe(4 * (batch + ids + numbers));
    }
    const gathered = (4 + 3) * height * width; // rows of all models, gradients of those in training
    expect((await movedOf({ deviceTableBytes: 0 }))[1]).toBe(4 * (batch + gathered + numbers));
  });

  it('are computed on by the device alone: the processor is given none of their nodes', async () => {
    const { options, step } = start(webgpu, optimizers.adamw!);
    const batch = batchOf(1);
    const graph = trace('test', stepInputs(options, batch, step), (tensors) =>
      recordStep(options, tensors, step),
    );
    // The look-ups, the makings up, the updates and the scatters; what models compute with the rows is theirs.
    const session = await ort.InferenceSession.create(encodeOnnx(optimise(graph)), {
      executionProviders: ['webgpu'],
      extra: { session: { disable_cpu_ep_fallback: '1' } },
      logSeverityLevel: 4,
    });
    await session.release();
    await step.release();
    expect(graph.nodes.filter(({ op }) => op === 'ScatterElements')).toHaveLength(6);
  });

  it('are those before the step when it gives a value that is not finite', async () => {
    const taken = async (steps: readonly number[]) => {
      const training = start(webgpu, optimizers.adam!);
      for (const number of steps) await training.step.take(batchOf(number), number);
      return training;
    };
    const failing = await taken([1, 2, 3]);
    const batch = batchOf(4);
    batch.tensors.x!.data[7] = Number.POSITIVE_INFINITY;
    await expect(failing.step.take(batch, 4)).rejects.toThrow('batch input x');
    const reference = await taken([1, 2, 3]);
    await reference.step.toHost();
    for (const { trained } of [reference])
      for (const { rows } of Object.values(trained)) rows.bringUpTo(3, batch.rowIds, batch.rowCount);
    expect(tablesOf(failing)).toEqual(tablesOf(reference));
    for (const { step } of [failing, reference]) await step.release();
  });

  it('stay on the host where they would take more than they may, or are not all in memory', async () => {
    const bytes = 4 * (3 + 3 + 1 + 1) * 41 * width;
    const isThere = async (settings: Settings) => {
      const { step } = start(webgpu, optimizers.adam!, settings);
      await step.release();
      return step.tables !== null;
    };
    expect(await isThere({ deviceTableBytes: bytes })).toBe(true);
    expect(await isThere({ deviceTableBytes: bytes - 1 })).toBe(false);
  });
});

/** Since when rows hold, as far as batches decide it: the processor makes up for what rows have missed when it looks at them. */
const touchedLast = (since: ArrayLike<number>) => Array.from(since, (step) => step > 0);
