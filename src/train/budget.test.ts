import { expect, test } from 'vitest';
import { testConfig } from '../../test/support/trainingConfig.js';
import { deviceTableBytes, requestsUntilEnd } from './budget.js';
import type { FitPlan } from './fitPlan.js';

const megabyte = 2 ** 20;
const { training } = testConfig({ training: { embeddings: { kind: 'memory', device_megabytes: 200 } } });
const everySteps = (steps: number): FitPlan['between'] => ({
  everySteps: steps,
  atEpochEnds: true,
  counts: [],
  run: () => Promise.resolve({}),
});

test('tables may take what the config says of a device, and none of it where they lie in files', () => {
  expect(deviceTableBytes(training)).toBe(200 * megabyte);
  const inFiles = { kind: 'file', cacheMegabytes: 64 } as const;
  expect(deviceTableBytes({ ...training, embeddings: inFiles })).toBe(0);
});

test('they may take less where work between steps has them brought back often, a megabyte a step', () => {
  expect(deviceTableBytes(training, everySteps(0))).toBe(200 * megabyte);
  expect(deviceTableBytes(training, everySteps(1))).toBe(megabyte);
  expect(deviceTableBytes(training, everySteps(30))).toBe(30 * megabyte);
  expect(deviceTableBytes(training, everySteps(1000))).toBe(200 * megabyte);
});

test('an epoch ends with its requests, the last one with those of the training', () => {
  const budget = { requests: 100, lastRequest: 230, steps: 0, learningRate: () => 0 };
  expect(requestsUntilEnd(budget, { epoch: 1, requests: 30 })).toBe(70);
  expect(requestsUntilEnd(budget, { epoch: 2, requests: 0 })).toBe(30);
  expect(requestsUntilEnd(budget, { epoch: 2, requests: 30 })).toBe(0);
});
