import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { valuesOf } from '../../test/support/models.js';
import { dyingAt, fitContext, studentPlan } from '../../test/support/studentTraining.js';
import { workersInProcess } from '../../test/support/workersInProcess.js';
import type { TrainingConfig } from '../config/config.js';
import type { EncodedData } from '../data/encodedData.js';
import type { CascadeError } from '../errors.js';
import { relativeError } from '../engine/devices/deviceCheck.js';
import type { Workers } from '../engine/workers/workers.js';
import { fit } from './fit.js';
import type { FitPlan, FitResult } from './fitPlan.js';
import { roles } from './objectives.js';

let data: EncodedData;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData({ requests: 90 });
});

const newFolder = () => mkdtempSync(join(tmpdir(), 'cascade-workers-'));

interface Way {
  readonly training?: Partial<TrainingConfig>;
  readonly folder?: string;
  /** The step whose report ends the first worker. */
  readonly killedAt?: number;
  readonly change?: (plan: FitPlan, workers: Workers) => FitPlan;
}

/** The same training by one worker, or by several that share its blocks. */
function startBy(
  count: number,
  { training, folder = newFolder(), killedAt, change }: Way = {},
): Promise<FitResult>[] {
  return workersInProcess(count).map((workers) => {
    const dies = workers.rank === 0 && killedAt !== undefined;
    const context = fitContext(data, folder, dies ? dyingAt(killedAt) : undefined);
    const plan = studentPlan(data, 2.6, 5, count);
    return fit(change?.(plan, workers) ?? plan, {
      ...context,
      workers,
      training: { ...context.training, ...training },
    });
  });
}

const trainBy = (count: number, way?: Way): Promise<FitResult[]> => Promise.all(startBy(count, way));

const stateOf = ({ best }: FitResult) => best[roles.model]!;
const weightsOf = (result: FitResult) => [stateOf(result).vector, valuesOf(stateOf(result).table)];

describe('workers that train together', () => {
  it.each([2, 4])('%i of them get the losses and gradients of one with the whole batch', async (count) => {
    const oneStep = (plan: FitPlan): FitPlan => {
      const requests = data.requests('a', 'train');
      return { ...plan, epochsBefore: 0, epochs: 8 / requests };
    };
    // A step down the plain gradient, so that what weights have moved by is the gradient.
    const optimizer: TrainingConfig['optimizer'] = { kind: 'sgd', learningRate: 1, momentum: 0 };
    const way: Way = { training: { optimizer }, change: oneStep };
    const before = studentPlan(data, 1).trained[roles.model]!;
    const gradients = (result: FitResult) => {
      const start = [before.vector, valuesOf(before.table)];
      return weightsOf(result).map((values, i) => values.map((value, j) => start[i]![j]! - value));
    };
    const [whole] = await trainBy(1, way);
    const [first, ...others] = await trainBy(count, way);
    expect(whole!.steps).toBe(1);
    expect(Object.keys(first!.log)).toEqual(Object.keys(whole!.log));
    for (const [name, values] of Object.entries(whole!.log)) {
      expect(relativeError(first!.log[name]!, values), name).toBeLessThan(1e-6);
    }
    gradients(whole!).forEach((values, i) => {
      expect(relativeError(gradients(first!)[i]!, values)).toBeLessThan(1e-6);
    });
    for (const other of others) expect(weightsOf(other)).toEqual(weightsOf(first!));
  });

  it('train with Adam, clipping and drifting rows as one does, but for rounding', async () => {
    const way: Way = { training: { clipNorm: 0.5 } };
    const [whole] = await trainBy(1, way);
    const [first] = await trainBy(2, way);
    expect(first!.steps).toBe(27);
    for (const [name, values] of Object.entries(whole!.log)) {
      expect(relativeError(first!.log[name]!, values), name).toBeLessThan(1e-5);
    }
    const [vector, table] = weightsOf(first!).map((values, i) =>
      relativeError(values, weightsOf(whole!)[i]!),
    );
    expect(table).toBeLessThan(1e-5);
    expect(vector).toBeLessThan(1e-4); // Adam divides gradients that are 0 but for rounding by their own size
    first!.epochs.forEach(({ validationAuc }, i) => {
      expect(validationAuc).toBeCloseTo(whole!.epochs[i]!.validationAuc!, 3);
    });
  });

  it('end with the same bytes on every run, also cut off and gone on with', async () => {
    const [whole] = await trainBy(2);
    const [again] = await trainBy(2);
    expect(weightsOf(again!)).toEqual(weightsOf(whole!));
    // Killed as the first of them reports a step; nothing waits for the other, which goes with it.
    const folder = newFolder();
    for (const step of [3, 12, 20])
      await expect(trainBy(2, { folder, killedAt: step })).rejects.toThrow('killed');
    const [finished] = await trainBy(2, { folder });
    expect(weightsOf(finished!)).toEqual(weightsOf(whole!));
  });

  it('stop together at a value that is not finite, and the one that has it names the tensor', async () => {
    const broken = (plan: FitPlan, { rank }: Workers): FitPlan => ({
      ...plan,
      loss: (models, batch) => {
        const terms = plan.loss(models, batch);
        const factor = rank === 1 ? Number.NaN : 1;
        return { ...terms, tutor: { value: tf.mul(terms.tutor!.value, factor), weight: 1 } };
      },
    });
    const ends = await Promise.allSettled(startBy(2, { change: broken }));
    const problems = ends.map((end) => ((end as PromiseRejectedResult).reason as CascadeError).problems[0]);
    expect(problems[0]).toMatchObject({ code: 'training.not_finite', subject: 'worker 2 of 2' });
    expect(problems[1]).toMatchObject({ code: 'training.not_finite', subject: 'loss term tutor' });
  });

  it('notice when their weights have come apart', async () => {
    const between = (workers: Workers): FitPlan['between'] => ({
      everySteps: 3,
      atEpochEnds: false,
      counts: [],
      run(models) {
        if (workers.rank === 1) models[roles.model]!.state.vector[0]! += 1e-3;
        return Promise.resolve({});
      },
    });
    await expect(
      trainBy(2, { change: (plan, workers) => ({ ...plan, between: between(workers)! }) }),
    ).rejects.toThrow('workers have different weights');
  });
});
