import { tf } from '../tf.js';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  optimizers,
  rowsBatch,
  rowWidth,
  startWithRows,
  tablesOf,
  touchedLast,
  type RowsSettings,
} from '../../../test/support/movingRows.js';
import { encodeOnnx } from '../onnx.js';
import { makeOptimizer } from '../optim/make.js';
import { optimise } from '../passes/index.js';
import { recordStep, stepInputs } from '../recordStep.js';
import { trace } from '../trace/index.js';
import { examine } from './availability.js';
import type { Device } from './device.js';
import { relativeError } from './deviceCheck.js';

const { usable, why } = await examine('webgpu');
const webgpu: Device = { provider: 'webgpu', threads: 1 };
const cpu: Device = { provider: 'cpu', threads: 1 };

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
        const training = startWithRows(device, optimizers[name]!, { untouched });
        const { step, trained } = training;
        expect(step.tables !== null).toBe(device === webgpu);
        for (let number = 1; number <= 12; number++) {
          await step.take(rowsBatch(number), number);
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
    const movedOf = async (settings: RowsSettings) => {
      const { step } = startWithRows(webgpu, optimizers.adam!, settings);
      const moved = [];
      for (let number = 1; number <= 3; number++)
        moved.push((await step.take(rowsBatch(number), number)).bytesMoved);
      await step.release();
      return moved;
    };
    const height = 8;
    const batch = height * rowWidth + height;
    const numbers = 3 + 8; // Adam's scalars; loss, three terms, two of them weighted too, two norms
    const dense = 3 * (rowWidth * rowWidth + 1 + rowWidth) + 1;
    const tables = (rows: number) => (3 + 3 + 1 + 1) * (rows + 1) * rowWidth;
    const ids = height;
    const missed = 2 * height * 4; // of two models, four numbers of each row
    for (const rows of [40, 4000]) {
      const [first, ...others] = await movedOf({ rows });
      expect(others).toEqual(Array(2).fill(4 * (batch + ids + missed + numbers)));
      expect(first).toBe(others[0]! + 4 * (dense + tables(rows)));
      const resting = await movedOf({ rows, untouched: 'rest' });
      expect(resting[1]).toBe(4 * (batch + ids + numbers));
    }
    const gathered = (4 + 3) * height * rowWidth; // rows of all models, gradients of those in training
    expect((await movedOf({ deviceTableBytes: 0 }))[1]).toBe(4 * (batch + gathered + numbers));
  });

  it('are computed on by the device alone: the processor is given none of their nodes', async () => {
    const { options, step } = startWithRows(webgpu, optimizers.adamw!);
    const batch = rowsBatch(1);
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
      const training = startWithRows(webgpu, optimizers.adam!);
      for (const number of steps) await training.step.take(rowsBatch(number), number);
      return training;
    };
    const failing = await taken([1, 2, 3]);
    const batch = rowsBatch(4);
    batch.tensors.x!.data[7] = Number.POSITIVE_INFINITY;
    await expect(failing.step.take(batch, 4)).rejects.toThrow('batch input x');
    const reference = await taken([1, 2, 3]);
    await reference.step.toHost();
    for (const { trained } of [reference])
      for (const { rows } of Object.values(trained)) rows.bringUpTo(3, batch.rowIds, batch.rowCount);
    expect(tablesOf(failing)).toEqual(tablesOf(reference));
    for (const { step } of [failing, reference]) await step.release();
  });

  it('are brought back for the gradients of a step whose loss alone is finite', async () => {
    const { step } = startWithRows(webgpu, optimizers.adam!);
    await step.take(rowsBatch(1), 1);
    const batch = rowsBatch(2);
    batch.tensors.x!.data[7] = 1e19; // its square is finite, and that of the gradient is not
    await expect(step.take(batch, 2)).rejects.toThrow('the updated parameters');
    await step.release();
  });

  it('stay on the host where they would take more than they may, or are not all in memory', async () => {
    const bytes = 4 * (3 + 3 + 1 + 1) * 41 * rowWidth;
    const isThere = async (settings: RowsSettings) => {
      const { step } = startWithRows(webgpu, optimizers.adam!, settings);
      await step.release();
      return step.tables !== null;
    };
    expect(await isThere({ deviceTableBytes: bytes })).toBe(true);
    expect(await isThere({ deviceTableBytes: bytes - 1 })).toBe(false);
  });
});
