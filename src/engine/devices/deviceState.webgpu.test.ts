import { tf } from '../tf.js';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { examine } from './availability.js';
import type { Device } from './device.js';
import { relativeError } from './deviceCheck.js';
import { valuesOf } from '../../../test/support/models.js';
import { MemoryTable } from '../tables/embeddings.js';
import { trainedModel, type FeedBatch, type LossFunction } from '../gradients.js';
import { makeOptimizer } from '../optim/make.js';
import { RandomStream } from '../random.js';
import { modelState } from '../state.js';
import { TrainingStep } from '../step.js';

const { usable, why } = await examine('webgpu');
const webgpu: Device = { provider: 'webgpu', threads: 1 };

const width = 32;
const rowCount = 20;
const layout = { w: { shape: [width, width] }, b: { shape: [width] } };
const weights = width * width + width;
const optimizer = makeOptimizer({
  kind: 'adam',
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
});

/** Rows through the trained weights should come out as through the frozen ones, and as x. */
const loss: LossFunction = ({ model, frozen }, { x }) => {
  const through = (parameters: NonNullable<typeof model>['parameters']) =>
    tf.add(tf.matMul(model!.rows, parameters.w as tf.Tensor2D), parameters.b!);
  const error = (target: tf.Tensor) =>
    tf.mean<tf.Scalar>(tf.square(tf.sub(through(model!.parameters), target)));
  return {
    data: { value: error(x!), weight: 1 },
    frozen: { value: error(through(frozen!.parameters)), weight: 0.5 },
  };
};

function start(device: Device) {
  const stateFrom = (seed: number) => {
    const stream = RandomStream.of(seed, 'state');
    const values = (shape: readonly number[]) =>
      stream.normals(
        shape.reduce((a, b) => a * b),
        0.3,
      );
    const initial = Object.fromEntries(
      Object.entries(layout).map(([name, { shape }]) => [name, { shape, values: values(shape) }]),
    );
    return modelState(initial, MemoryTable.random(50, width, 1, stream));
  };
  const state = stateFrom(1);
  const model = trainedModel(state, optimizer, () => 0.01);
  const saveTo = mkdtempSync(join(tmpdir(), 'cascade-there-'));
  const step = new TrainingStep({
    name: 'test',
    trained: { model },
    frozen: { frozen: stateFrom(2) },
    loss,
    optimizer,
    learningRate: () => 0.01,
    clipNorm: 0.5,
    device,
    saveTo,
  });
  return { state, model, step };
}

const batchOf = (number: number): FeedBatch => ({
  rowIds: Int32Array.from({ length: rowCount }, (_, i) => 2 * i + (number % 2)),
  rowCount,
  tensors: {
    x: {
      spec: { shape: [rowCount, width], dtype: 'float32' },
      data: RandomStream.of(number, 'x').normals(rowCount * width),
    },
  },
});

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.skipIf(!usable)(`dense parameters on the device${usable ? '' : ` (not run: ${why})`}`, () => {
  it('end as those of the processor, also where the host changes them between steps', async () => {
    const results = [];
    for (const device of [{ provider: 'cpu', threads: 1 } as const, webgpu]) {
      const { state, model, step } = start(device);
      for (let number = 1; number <= 8; number++) {
        await step.take(batchOf(number), number);
        if (number !== 4) continue;
        await step.toHost();
        state.vector.fill(0.1, 0, width);
        model.slots[0]!.fill(0, 0, width);
      }
      await step.toHost();
      await step.release();
      results.push([state.vector, ...model.slots, valuesOf(state.table)]);
    }
    const [expected, actual] = results;
    expected!.forEach((values, i) => {
      expect(relativeError(actual![i]!, values)).toBeLessThan(1e-4);
    });
  });

  it('cross once: afterwards the batch, its rows and their gradients are all that moves', async () => {
    const { state, step } = start(webgpu);
    const before = state.vector.slice();
    const moved = [];
    for (let number = 1; number <= 3; number++)
      moved.push((await step.take(batchOf(number), number)).bytesMoved);
    const floats = rowCount * width; // the batch, the rows of each model, the gradient of the trained one's
    const numbers = 3 + 6; // Adam's scalars; loss, two terms, one of them weighted too, two norms
    expect(moved[1]).toBe(4 * (4 * floats + numbers));
    expect(moved[2]).toBe(moved[1]);
    expect(moved[0]).toBe(moved[1]! + 4 * (3 + 1) * weights); // with both moments, and the frozen ones
    expect(state.vector).toEqual(before);
    await step.toHost();
    expect(state.vector).not.toEqual(before);
    const thereAndBack = 2 * 4 * 3 * weights;
    expect((await step.take(batchOf(4), 4)).bytesMoved).toBe(moved[1]! + thereAndBack);
    await step.release();
  });

  it('are those before the step when it gives a value that is not finite', async () => {
    const { state, step } = start(webgpu);
    await step.take(batchOf(1), 1);
    await step.take(batchOf(2), 2);
    const batch = batchOf(3);
    batch.tensors.x!.data[7] = Number.POSITIVE_INFINITY;
    await expect(step.take(batch, 3)).rejects.toThrow('batch input x');
    const { state: reference, step: other } = start(webgpu);
    for (const number of [1, 2]) await other.take(batchOf(number), number);
    await other.toHost();
    expect(state.vector).toEqual(reference.vector);
    for (const each of [step, other]) await each.release();
  });
});
