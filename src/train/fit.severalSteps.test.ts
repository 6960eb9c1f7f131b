import { tf } from '../engine/tf.js';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { cpu, valuesOf } from '../../test/support/models.js';
import { expectSameTraining } from '../../test/support/otherDevice.js';
import { dyingAt, fitContext, studentPlan } from '../../test/support/studentTraining.js';
import { SeveralSteps } from '../engine/severalSteps.js';
import { silentProgress } from '../run/progress.js';
import { fit } from './fit.js';
import { roles } from './objectives.js';

it('trains by several steps a run as by one, also when it is cut off and goes on', async () => {
  const took = vi.spyOn(SeveralSteps.prototype, 'take');
  await expectSameTraining(cpu, { stepsPerRun: 4, cutOffAt: 11 });
  const runs = took.mock.calls.map(([batches, first]) => `${first}+${batches.length}`);
  expect(runs).toContain('1+4');
  took.mockRestore();
});

it('ends with the same bytes when it is cut off within a run', async () => {
  await tf.setBackend('cpu');
  const data = testData({ requests: 90 });
  const train = (folder: string, progress = silentProgress) => {
    const context = fitContext(data, folder, progress);
    const training = { ...context.training, stepsPerRun: 4 };
    return fit(studentPlan(data, 2.6), { ...context, training });
  };
  const newFolder = () => mkdtempSync(join(tmpdir(), 'cascade-runs-'));
  const whole = await train(newFolder());
  const folder = newFolder();
  for (const step of [3, 14, 22]) await expect(train(folder, dyingAt(step))).rejects.toThrow('killed');
  const resumed = await train(folder);
  expect(resumed.log).toEqual(whole.log);
  expect(resumed.best[roles.model]!.vector).toEqual(whole.best[roles.model]!.vector);
  expect(valuesOf(resumed.best[roles.model]!.table)).toEqual(valuesOf(whole.best[roles.model]!.table));
});
