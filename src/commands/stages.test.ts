/** `train`, `status` and the stage commands on a chain of tiny stages. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { cascade } from '../../test/support/cli.js';
import { configFile, smallPipeline } from '../../test/support/pipeline.js';
import { TinyChain } from '../../test/support/run.js';
import { CascadeError } from '../errors.js';
import type { StageDefinition } from '../run/stage.js';

const tiny = vi.hoisted(() => ({ stages: [] as StageDefinition[] }));
vi.mock('../stages/index.js', () => tiny);

let chain: TinyChain;
let flags: string[];

beforeEach(async () => {
  chain = new TinyChain();
  await chain.writeSource('days');
  const judge: StageDefinition = {
    name: 'eval',
    version: 1,
    reads: () => ['teacher'],
    settings: (config) => ({ eval: config.eval }),
    work: () =>
      Promise.resolve({
        lines: ['auc 0.7', 'The student wins.'],
        data: { verdict: 'The student wins.', metrics: [{ model: 'student', value: 0.7 }] },
      }),
  };
  tiny.stages.splice(0, Infinity, chain.logs, chain.samples, chain.teacher, judge);
  flags = ['--config', configFile(smallPipeline), '--run', chain.folder];
});

/** Durations differ from run to run. */
const timeless = (text: string) =>
  text.replaceAll(/\d+\.\d s/g, 'T s').replaceAll(/since \S+/g, 'since then');

test('train ends in a table of stages and the verdict; progress goes to standard error', async () => {
  const first = await cascade('train', ...flags);
  expect(first.code).toBe(0);
  expect(timeless(first.out)).toMatchInlineSnapshot(`
    "stage    what  time   why
    logs     ran   T s  not run before
    samples  ran   T s  not run before
    teacher  ran   T s  not run before
    eval     ran   T s  not run before

    The student wins.
    "
  `);
  expect(timeless(first.err)).toMatchInlineSnapshot(`
    "logs: not run before
    samples: not run before
    teacher: not run before
    eval: not run before
    "
  `);
  const second = await cascade('train', ...flags);
  expect(timeless(second.out)).toMatchInlineSnapshot(`
    "stage    what     time     why
    logs     skipped  (T s)  nothing changed
    samples  skipped  (T s)  nothing changed
    teacher  skipped  (T s)  nothing changed
    eval     skipped  (T s)  nothing changed

    The student wins.
    "
  `);
  expect(timeless(second.err)).toMatchInlineSnapshot(`
    "logs: skipped, nothing changed since then
    samples: skipped, nothing changed since then
    teacher: skipped, nothing changed since then
    eval: skipped, nothing changed since then
    "
  `);
});

test('train --json prints what eval prints, and the stages', async () => {
  const { out } = await cascade('train', ...flags, '--json');
  expect(JSON.parse(out)).toEqual({
    verdict: 'The student wins.',
    metrics: [{ model: 'student', value: 0.7 }],
    stages: ['logs', 'samples', 'teacher', 'eval'].map((stage) => ({
      stage,
      action: 'ran',
      reason: 'not run before',
      seconds: expect.any(Number) as number,
    })),
  });
});

/** What each stage did in a run of train. */
async function actions(...more: string[]): Promise<Record<string, string>> {
  const { out } = await cascade('train', ...flags, '--json', ...more);
  const { stages } = JSON.parse(out) as { stages: { stage: string; action: string }[] };
  return Object.fromEntries(stages.map(({ stage, action }) => [stage, action]));
}

test('--from runs a stage and all after it, --only that stage alone, --force all of them', async () => {
  await cascade('train', ...flags);
  expect(await actions('--from', 'teacher')).toEqual({
    logs: 'skipped',
    samples: 'skipped',
    teacher: 'ran',
    eval: 'ran',
  });
  expect(await actions('--only', 'samples')).toEqual({ samples: 'skipped' });
  expect(await actions('--only', 'samples', '--force')).toEqual({ samples: 'ran' });
  expect(await actions('--force')).toEqual({ logs: 'ran', samples: 'ran', teacher: 'ran', eval: 'ran' });
});

test('without eval there is no verdict', async () => {
  const { out } = await cascade('train', ...flags, '--json', '--only', 'logs');
  expect(JSON.parse(out)).toMatchObject({ verdict: null, metrics: [] });
  expect((await cascade('train', ...flags, '--only', 'logs')).code).toBe(0);
});

test('--only refuses to build on stages that were made with other settings, also in a dry run', async () => {
  await cascade('train', ...flags);
  const changed = ['--set', 'samples.sequence.max_length=7', '--only', 'teacher'];
  for (const more of [[], ['--dry-run']]) {
    const { code, err } = await cascade('train', ...flags, ...changed, ...more);
    expect(code).toBe(1);
    expect(err).toContain('run.stale_stage');
  }
});

test('a dry run says what would run', async () => {
  await cascade('train', ...flags);
  const { out, err } = await cascade('train', ...flags, '--dry-run', '--set', 'teacher.b_epochs=2', '--json');
  expect(err).toBe('');
  expect(JSON.parse(out)).toMatchObject({
    stages: [
      { stage: 'logs', action: 'skip', reason: 'nothing changed' },
      { stage: 'samples', action: 'skip' },
      { stage: 'teacher', action: 'run', reason: 'setting teacher.b_epochs changed from 1 to 2' },
      { stage: 'eval', action: 'run', reason: 'reads what teacher will write' },
    ],
  });
  expect(chain.worked).toEqual(['logs', 'samples', 'teacher']);
});

test('a stage that is skipped prints its stored result, and why it was skipped', async () => {
  const first = await cascade('logs', ...flags);
  expect(first.out).toBe('click of days\n');
  const second = await cascade('logs', ...flags);
  expect(second.out).toBe(first.out);
  expect(timeless(second.err)).toBe('logs: skipped, nothing changed since then\n');
  const asJson = await cascade('logs', ...flags, '--json');
  expect(JSON.parse(asJson.out)).toEqual({ text: 'click of days' });
  expect(chain.worked).toEqual(['logs']);
});

test('the run folder holds the resolved config, which status and a later run can use', async () => {
  await cascade('train', ...flags, '--set', 'teacher.b_epochs=2');
  const config = join(chain.folder, 'config.yaml');
  expect(await chain.text('config.yaml')).toContain('b_epochs: 2 # --set');
  const status = await cascade('status', '--run', chain.folder, '--json');
  expect(JSON.parse(status.out)).toMatchObject({
    run: chain.folder,
    stages: [
      { stage: 'logs', state: 'done', why: null, bytes: 13 },
      {},
      {},
      { stage: 'eval', state: 'done' },
    ],
  });
  expect(await actionsOf('train', '--config', config, '--json')).toEqual(Array(4).fill('skipped'));
});

async function actionsOf(...args: string[]): Promise<string[]> {
  const { stages } = JSON.parse((await cascade(...args)).out) as { stages: { action: string }[] };
  return stages.map(({ action }) => action);
}

test('status is a table for people', async () => {
  await cascade('samples', ...flags);
  await cascade('logs', ...flags);
  const { out } = await cascade('status', ...flags);
  const table = timeless(out)
    .replaceAll(/\d{4}-\S+Z/g, '(then)              ')
    .replace(chain.folder, 'run');
  expect(table).toMatchInlineSnapshot(`
    "Run folder: run
    stage    state      size  rows  started               took   why
    logs     done       13 B  0     (then)                T s
    samples  never run
    teacher  never run
    eval     never run
    "
  `);
});

test('a gate that says no ends with 3, other failures with 1; the lock is given back', async () => {
  chain.during = () => {
    throw new CascadeError({ code: 'gate.codebook', what: 'No.' });
  };
  expect((await cascade('train', ...flags)).code).toBe(3);
  chain.during = () => {
    throw new Error('a slip of ours');
  };
  const slip = await cascade('train', ...flags);
  expect(slip.code).toBe(1);
  expect(slip.err).toContain('internal: Error: a slip of ours');
  expect(existsSync(join(chain.folder, '.lock'))).toBe(false);
});

test('a config in the run folder that was edited by hand is noted', async () => {
  await cascade('logs', ...flags);
  writeFileSync(join(chain.folder, 'config.yaml'), 'seed: 3\n');
  expect((await cascade('logs', ...flags)).err).toContain('was edited since the last command');
});
