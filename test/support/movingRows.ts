/** Three models whose rows a step looks up, one of them at rest, and a frozen one: everything that tables on a device go through. */
import { tf } from '../../src/engine/tf.js';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OptimizerConfig } from '../../src/config/config.js';
import type { Device } from '../../src/engine/devices/device.js';
import {
  modelWithRestingRows,
  trainedModel,
  type FeedBatch,
  type LossFunction,
  type StepOptions,
} from '../../src/engine/gradients.js';
import { makeOptimizer } from '../../src/engine/optim/make.js';
import { RandomStream } from '../../src/engine/random.js';
import { modelState } from '../../src/engine/state.js';
import { TrainingStep } from '../../src/engine/step.js';
import { MemoryTable } from '../../src/engine/tables/embeddings.js';
import { MemoryRows } from '../../src/engine/tables/rowStore.js';
import { valuesOf } from './models.js';

/** Of a row. */
export const rowWidth = 5;
const rate = (step: number) => 0.02 / Math.sqrt(step);
export const optimizers: Record<string, OptimizerConfig> = {
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

export interface RowsSettings {
  readonly rows?: number;
  readonly untouched?: 'drift' | 'rest';
  readonly deviceTableBytes?: number;
  readonly stepsPerRun?: number;
}

export function startWithRows(
  device: Device,
  config: OptimizerConfig,
  { rows = 40, untouched = 'drift', deviceTableBytes = 2 ** 20, stepsPerRun = 1 }: RowsSettings = {},
) {
  const { drift, ...others } = makeOptimizer(config);
  const optimizer = untouched === 'drift' && drift ? { ...others, drift } : others;
  const stateFrom = (seed: number, shape: readonly number[]) => {
    const stream = RandomStream.of(seed, 'state');
    const values = stream.normals(
      shape.reduce((a, b) => a * b),
      0.3,
    );
    return modelState({ w: { shape, values } }, MemoryTable.random(rows, rowWidth, 1, stream));
  };
  const trained = {
    model: trainedModel(stateFrom(1, [rowWidth, rowWidth]), optimizer, rate),
    other: trainedModel(stateFrom(2, [1]), optimizer, rate),
    resting: modelWithRestingRows(stateFrom(3, [rowWidth]), optimizer, rate),
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
    stepsPerRun,
    saveTo: mkdtempSync(join(tmpdir(), 'cascade-tables-')),
  };
  return { options, trained, step: new TrainingStep(options) };
}

/** Rows of step `number`, padded with row 0 as batches are: row 0 itself in every other step, most rows now and then, some never. */
export function rowsBatch(number: number, padding = 3): FeedBatch {
  const ids = [number % 2 === 0 ? 0 : 1, 2, 3 + (number % 3), 6 + (number % 7), 13 + ((number * 5) % 11)];
  const height = ids.length + padding;
  const rowIds = new Int32Array(height);
  rowIds.set(ids);
  return {
    rowIds,
    rowCount: ids.length,
    tensors: {
      x: {
        spec: { shape: [height, rowWidth], dtype: 'float32' },
        data: RandomStream.of(number, 'x').normals(height * rowWidth),
      },
      mask: {
        spec: { shape: [height, 1], dtype: 'float32' },
        data: Float32Array.from({ length: height }, (_, i) => (i < ids.length ? 1 : 0)),
      },
    },
  };
}

/** All numbers of the models' tables, by name: weights, slots, and since when rows hold. */
export const tablesOf = ({ trained }: ReturnType<typeof startWithRows>) =>
  Object.entries(trained).flatMap(([name, { rows }]) =>
    rows.store instanceof MemoryRows
      ? Object.entries(rows.store.arrays()).map(([key, values]) => [`${name}: ${key}`, values] as const)
      : [[`${name}: at rest`, valuesOf(rows.store.table)] as const],
  );

/** Since when rows hold, as far as batches decide it: the processor makes up for what rows have missed when it looks at them. */
export const touchedLast = (since: ArrayLike<number>) => Array.from(since, (step) => step > 0);
