/** A whole small training (steps, validations, checkpoints) on another device than the processor, or by other means, against the processor. */
import { tf } from '../../src/engine/tf.js';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Device } from '../../src/engine/devices/device.js';
import { relativeError } from '../../src/engine/devices/deviceCheck.js';
import { silentProgress, type Progress } from '../../src/run/progress.js';
import { fit } from '../../src/train/fit.js';
import { roles } from '../../src/train/objectives.js';
import { testData } from './encoded.js';
import { cpu, valuesOf } from './models.js';
import { dyingAt, fitContext, studentPlan } from './studentTraining.js';

/**
 * Tolerances after 27 steps, relative to the largest value. Losses and embeddings agree to rounding. Dense weights agree less: Adam
 * divides a gradient by its own size, so where the true gradient is 0 (the bias of attention's keys) rounding alone decides the way.
 */
const tolerance = { losses: 1e-5, embeddings: 1e-5, weights: 5e-3 };

interface OtherTraining {
  /** A step at which the training on the device is killed, to go on from its checkpoint. */
  readonly cutOffAt?: number;
  readonly stepsPerRun?: number;
}

export async function expectSameTraining(
  device: Device,
  { cutOffAt, stepsPerRun = 1 }: OtherTraining = {},
): Promise<void> {
  await tf.setBackend('cpu');
  const data = testData({ requests: 90 });
  const train = (where: Device, steps: number, folder: string, progress = silentProgress) => {
    const context = fitContext(data, folder, progress, where);
    return fit(studentPlan(data, 2.6), {
      ...context,
      training: { ...context.training, stepsPerRun: steps },
    });
  };
  const newFolder = () => mkdtempSync(join(tmpdir(), 'cascade-device-'));
  const expected = await train(cpu, 1, newFolder());
  const folder = newFolder();
  const tried = (progress?: Progress) => train(device, stepsPerRun, folder, progress);
  if (cutOffAt) await expect(tried(dyingAt(cutOffAt))).rejects.toThrow('killed');
  const actual = await tried();
  expect(actual.steps).toBe(27);
  for (const [name, values] of Object.entries(expected.log)) {
    expect(relativeError(actual.log[name]!, values), name).toBeLessThan(tolerance.losses);
  }
  const [state, reference] = [actual, expected].map(({ best }) => best[roles.model]!);
  expect(relativeError(valuesOf(state!.table), valuesOf(reference!.table))).toBeLessThan(
    tolerance.embeddings,
  );
  expect(relativeError(state!.vector, reference!.vector)).toBeLessThan(tolerance.weights);
  actual.epochs.forEach(({ validationAuc }, i) => {
    expect(validationAuc).toBeCloseTo(expected.epochs[i]!.validationAuc!, 3);
  });
  // The others round otherwise: the same bytes would mean that the processor did the work, step by step.
  expect(state!.vector).not.toEqual(reference!.vector);
}
