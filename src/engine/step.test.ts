import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tf } from './tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { valuesOf } from '../../test/support/models.js';
import { CascadeError } from '../errors.js';
import { MemoryTable } from './tables/embeddings.js';
import { makeOptimizer } from './optim/make.js';
import { RandomStream } from './random.js';
import { readSafetensors } from './safetensors.js';
import { modelState } from './state.js';
import { trainedModel, type FeedBatch, type LossFunction } from './gradients.js';
import { TrainingStep } from './step.js';

const optimizer = makeOptimizer({
  kind: 'adam',
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
});

function start(loss: LossFunction, threads = 1) {
  const table = MemoryTable.random(50, 8, 1, RandomStream.of(2, 'table'));
  const initial = {
    w: { shape: [8, 8], values: RandomStream.of(3, 'w').normals(64, 0.3) },
    b: { shape: [8], values: new Float32Array(8) },
  };
  const state = modelState(initial, table);
  const saveTo = mkdtempSync(join(tmpdir(), 'cascade-step-'));
  const step = new TrainingStep({
    name: 'test',
    trained: { model: trainedModel(state, optimizer, () => 0.01) },
    frozen: {},
    loss,
    optimizer,
    learningRate: () => 0.01,
    clipNorm: 1,
    device: { provider: 'cpu', threads },
    saveTo,
  });
  return { state, step, saveTo };
}

const batchOf = (x: Float32Array): FeedBatch => ({
  rowIds: Int32Array.from({ length: 20 }, (_, i) => 2 * i),
  rowCount: 20,
  tensors: { x: { spec: { shape: [20, 8], dtype: 'float32' }, data: x } },
});

const regression: LossFunction = ({ model }, { x }) => {
  const y = tf.add(tf.matMul(model!.rows, model!.parameters.w as tf.Tensor2D), model!.parameters.b!);
  return { error: { value: tf.mean(tf.square(tf.sub(y, x!))), weight: 1 } };
};

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('a training step', () => {
  it('gives the same bytes on every run, on one thread and on two', async () => {
    const x = RandomStream.of(4, 'x').normals(160);
    const results = [];
    for (const threads of [1, 1, 2]) {
      const { state, step } = start(regression, threads);
      for (let number = 1; number <= 10; number++) await step.take(batchOf(x), number);
      results.push([state.vector, valuesOf(state.table)]);
      await step.release();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('learns: the loss of a regression falls', async () => {
    const { step } = start(regression);
    const x = RandomStream.of(4, 'x').normals(160);
    const first = await step.take(batchOf(x), 1);
    let last = first;
    for (let number = 2; number <= 100; number++) last = await step.take(batchOf(x), number);
    expect(last.terms.error).toBeLessThan(0.5 * first.terms.error!);
    await step.release();
  });

  it.each([
    ['batch input x', regression, Number.POSITIVE_INFINITY, null],
    ['parameter model/b', regression, 1, Number.NaN],
    [
      'loss term second',
      ((models, batch) => ({
        ...regression(models, batch),
        second: { value: tf.log(tf.neg(tf.mean(tf.square(batch.x!)))), weight: 0.1 },
      })) satisfies LossFunction,
      1,
      null,
    ],
    [
      'gradient of model/b', // sqrt has an infinite slope at 0, its value is fine
      (({ model }) => ({
        root: { value: tf.sum(tf.sqrt(tf.abs(model!.parameters.b!))), weight: 1 },
      })) satisfies LossFunction,
      1,
      null,
    ],
  ] as const)(
    'stops at the first value that is not finite and names it: %s',
    async (subject, loss, x0, b0) => {
      const { state, step, saveTo } = start(loss);
      const x = RandomStream.of(4, 'x').normals(160);
      x[7] = x0;
      if (b0 !== null) state.layout.view(state.vector, 'b')[2] = b0;
      const before = state.vector.slice();
      const error = await step.take(batchOf(x), 17).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CascadeError);
      const [problem] = (error as CascadeError).problems;
      expect(problem).toMatchObject({ code: 'training.not_finite', where: 'test, step 17', subject });
      expect(state.vector).toEqual(before);
      const saved = join(saveTo, 'non-finite-test-step-17.safetensors');
      expect(problem!.what).toContain(saved);
      expect(existsSync(saved)).toBe(true);
      const { tensors } = await readSafetensors(saved);
      expect(tensors.x!.values).toEqual(x);
      expect(tensors.row_ids!.values).toEqual(Int32Array.from({ length: 20 }, (_, i) => 2 * i));
      await step.release();
    },
  );
});
