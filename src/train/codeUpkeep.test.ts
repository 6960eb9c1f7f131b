import { tf } from '../engine/tf.js';
import { beforeAll, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { cpu, stateOf } from '../../test/support/models.js';
import { testConfig } from '../../test/support/trainingConfig.js';
import type { EncodedData } from '../data/encodedData.js';
import { trainedModel } from '../engine/gradients.js';
import { makeOptimizer } from '../engine/optim/make.js';
import { RandomStream } from '../engine/random.js';
import { preRanker, studentCodes } from '../models/registry.js';
import { codebooksOf, trainingItems } from './codeFitting.js';
import { keepCodes, upkeepEvery } from './codeUpkeep.js';
import { ItemEncoder } from './itemEncoding.js';

let data: EncodedData;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

it('a restarted code forgets what the optimiser knew of the old one, and counts as used evenly', async () => {
  const config = testConfig({
    codebook: {
      updates: { kind: 'ema', decay: 0.999 },
      dead_codes: { restart_below: 0.01, restart_every: 10 },
    },
  });
  const frame = { layout: data.layout, baseLogit: -0.5 };
  const coder = studentCodes(config, frame);
  const initial = preRanker('student_tarq', config, frame).model.initial(RandomStream.of(1, 'initial'));
  const optimizer = makeOptimizer({
    kind: 'adagrad',
    learningRate: 0.01,
    initialAccumulator: 0.25,
    epsilon: 1e-10,
  });
  const model = trainedModel(stateOf(data, initial), optimizer, () => 0.01);
  const { width, codes } = coder;
  model.slots[0]!.fill(7);
  codebooksOf(model.state, coder).forEach((codebook) => codebook.fill(500, 2 * width, 3 * width));
  const usage = model.state.layout.view(model.state.vector, 'tarq/usage/1');
  usage.set([4, 3, 0.5, 2, 1]);

  const items = trainingItems(data);
  const random = (name: string) => RandomStream.of(5, name);
  const parts = {
    codebook: config.codebook,
    coder,
    encoder: new ItemEncoder(data, coder, cpu),
    items,
    random,
  };
  expect(await keepCodes(parts, model, 9)).toEqual({ restarts: 0 });
  const { restarts } = await keepCodes(parts, model, 10);

  expect(restarts).toBeGreaterThanOrEqual(coder.levels);
  const slot = model.state.layout.view(model.slots[0]!, 'tarq/codes/1');
  const restarted = Array.from({ length: codes }, (_, code) => slot[code * width] === 0.25);
  expect(restarted[2]).toBe(true);
  expect(restarted).toContain(false);
  slot.forEach((value, i) => expect(value).toBe(restarted[Math.floor(i / width)] ? 0.25 : 7));
  const second = codebooksOf(model.state, coder)[1]!;
  expect(Math.max(...second.subarray(2 * width, 3 * width).map(Math.abs))).toBeLessThan(100);
  const even = usage.reduce((sum, count) => sum + count, 0) / codes;
  expect(usage[2]).toBeGreaterThan(1.5);
  expect(Math.abs(usage[2]! - even) / even).toBeLessThan(0.5);
});

it('is asked for only when it has something to do', () => {
  const every = (codebook: Record<string, unknown>) => upkeepEvery(testConfig({ codebook }).codebook);
  expect(every({})).toBe(0);
  expect(every({ dead_codes: { restart_below: 0.1, restart_every: 30 } })).toBe(30);
  expect(every({ updates: { kind: 'ema' }, dead_codes: { restart_below: 0.1 } })).toBe(1);
});
