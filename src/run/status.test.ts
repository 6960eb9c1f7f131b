import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { TinyChain } from '../../test/support/run.js';
import { runStage, type Run } from './graph.js';
import { statusOf } from './status.js';

let chain: TinyChain;

beforeEach(async () => {
  chain = new TinyChain();
  await chain.writeSource('days');
});

const states = async (run: Run) =>
  (await statusOf(run)).map(({ state, why }) => (why ? `${state}: ${why}` : state));

async function train(run: Run): Promise<void> {
  for (const stage of run.stages) await runStage(run, stage, false);
}

test('a run that never began has no stages, and asking makes no folder', async () => {
  expect(await states(chain.run())).toEqual(['never run', 'never run', 'never run']);
  expect(existsSync(chain.folder)).toBe(false);
});

test('a finished stage is done, with its size and duration', async () => {
  await train(chain.run());
  const before = readdirSync(chain.folder, { recursive: true });
  expect(await states(chain.run())).toEqual(['done', 'done', 'done']);
  const [logs] = await statusOf(chain.run());
  expect(logs).toMatchObject({ stage: 'logs', bytes: 13, rows: 0 });
  expect(logs?.startedAt).toMatch(/^\d{4}-\d\d-\d\dT/);
  expect(logs?.seconds).toBeGreaterThanOrEqual(0);
  expect(readdirSync(chain.folder, { recursive: true })).toEqual(before);
});

test('a stage that broke off is cut off', async () => {
  await runStage(chain.run(), chain.logs, false);
  chain.during = () => {
    throw new Error('power cut');
  };
  await expect(runStage(chain.run(), chain.samples, false)).rejects.toThrow();
  expect(await states(chain.run())).toEqual(['done', 'cut off', 'never run']);
});

test('a stage is out of date with its reason, and with it those that read it', async () => {
  await train(chain.run());
  expect(await states(chain.run('samples.sequence.max_length=7'))).toEqual([
    'done',
    'out of date: setting samples.sequence.max_length changed from 50 to 7',
    'out of date: reads samples, which is out of date',
  ]);
});

test('a damaged manifest and a missing stage are told without failing', async () => {
  await train(chain.run());
  await chain.flipByte('samples/stage.json', 40);
  const [, samples, teacher] = await statusOf(chain.run());
  expect(samples).toMatchObject({ state: 'damaged' });
  expect(teacher).toMatchObject({ state: 'out of date', why: 'reads samples, which is damaged' });
  await rm(join(chain.folder, 'logs'), { recursive: true });
  expect((await states(chain.run()))[0]).toBe('never run');
});

test('raw files that are not on this machine do not keep the status from being told', async () => {
  await train(chain.run());
  await rm(chain.sourceFolder, { recursive: true });
  expect((await states(chain.run()))[0]).toBe('out of date: raw.txt changed');
});
