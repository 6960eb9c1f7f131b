import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { codesOf, problemsOf, TinyChain } from '../../test/support/run.js';
import { internal } from '../errors.js';
import { decide, help, noMoreStages, plan, runStage, type Run } from './graph.js';
import type { WorkerProcess } from '../engine/workers/mpi.js';
import { readManifest, runFormat, writeManifest } from './manifest.js';
import type { StageDefinition } from './stage.js';

let chain: TinyChain;

beforeEach(async () => {
  chain = new TinyChain();
  await chain.writeSource('days');
});

/** All stages in order, as `train` runs them. */
async function train(run: Run, forced = false) {
  const outcomes = [];
  for (const stage of run.stages) outcomes.push(await runStage(run, stage, forced));
  return outcomes;
}

const reasons = async (run: Run) => (await train(run)).map(({ run, reason }) => (run ? reason : 'skipped'));

// --------------------------------------------------------------------------------------------------- skipped or run again

test('a stage runs once; after that its stored result is given back without work', async () => {
  const first = await train(chain.run());
  expect(first.map(({ run, reason }) => [run, reason])).toEqual(Array(3).fill([true, 'not run before']));
  const second = await train(chain.run());
  expect(second.map(({ run, reason }) => [run, reason])).toEqual(Array(3).fill([false, 'nothing changed']));
  expect(second.map(({ result }) => result)).toEqual(first.map(({ result }) => result));
  expect(second.map(({ seconds }) => seconds)).toEqual(first.map(({ seconds }) => seconds));
  expect(chain.worked).toEqual(['logs', 'samples', 'teacher']);
});

test('a changed setting runs the stage that depends on it and those that read other bytes because of it', async () => {
  await train(chain.run());
  expect(await reasons(chain.run('samples.sequence.max_length=7'))).toEqual([
    'skipped',
    'setting samples.sequence.max_length changed from 50 to 7',
    'stage `samples` wrote other files since',
  ]);
  expect(await chain.text('teacher/teacher.txt')).toBe('click of days, at most 7, 1 epochs');
});

test('a setting that no stage depends on runs nothing', async () => {
  await train(chain.run());
  expect(await reasons(chain.run('threads=2', 'towers.width=8'))).toEqual(Array(3).fill('skipped'));
});

test('a stage that ran again and wrote the same bytes lets the others rest', async () => {
  const run = chain.run();
  await train(run);
  await runStage(run, chain.logs, true);
  expect(await reasons(run)).toEqual(Array(3).fill('skipped'));
});

test('another seed runs everything', async () => {
  await train(chain.run());
  expect(await reasons(chain.run('seed=2'))).toEqual(Array(3).fill('seed changed from 1 to 2'));
});

test('another version of a stage runs it', async () => {
  await train(chain.run());
  chain.version = 2;
  expect(await reasons(chain.run())).toEqual([
    'skipped',
    'this version of cascade writes it differently',
    'skipped',
  ]);
});

test('a raw file that changed, came or went runs the stage that reads it', async () => {
  await train(chain.run());
  await chain.writeSource('weeks');
  expect((await reasons(chain.run()))[0]).toBe('raw.txt changed');
  await chain.writeSource('more', 'more.txt');
  chain.sources = ['raw.txt', 'more.txt'];
  expect((await reasons(chain.run()))[0]).toBe('more.txt is new');
  expect((await reasons(chain.run()))[0]).toBe('skipped');
  chain.sources = ['raw.txt'];
  expect((await reasons(chain.run()))[0]).toBe('more.txt is gone');
});

test('a raw file written again with the same bytes runs nothing', async () => {
  await train(chain.run());
  await chain.writeSource('days');
  await utimes(join(chain.sourceFolder, 'raw.txt'), 1, 1);
  expect(await reasons(chain.run())).toEqual(Array(3).fill('skipped'));
});

test('an output that was changed or removed on disk is written anew', async () => {
  await train(chain.run());
  await chain.flipByte('samples/samples.txt');
  const changed = 'samples/samples.txt was changed or removed on disk';
  expect(await reasons(chain.run())).toEqual(['skipped', changed, 'skipped']);
  await rm(join(chain.folder, 'samples/samples.txt'));
  expect(await reasons(chain.run())).toEqual(['skipped', changed, 'skipped']);
  expect(await chain.text('samples/samples.txt')).toBe('click of days, at most 50');
});

test('a forced stage runs though nothing changed', async () => {
  await train(chain.run());
  const outcome = await runStage(chain.run(), chain.samples, true);
  expect(outcome).toMatchObject({ run: true, reason: 'asked for' });
});

test('what a stage wrote before is gone when it writes anew', async () => {
  chain.during = (stage) => stage.write('old.txt', (temporary) => writeFile(temporary, ''));
  await train(chain.run());
  chain.during = () => undefined;
  await train(chain.run('samples.sequence.max_length=7'));
  expect(existsSync(join(chain.folder, 'logs/old.txt'))).toBe(true);
  expect(existsSync(join(chain.folder, 'samples/old.txt'))).toBe(false);
});

// --------------------------------------------------------------------------------------------------------------- cut off

/** Runs samples until it breaks off after its first checkpoint. */
async function cutOffSamples(run: Run): Promise<void> {
  await runStage(run, chain.logs, false);
  chain.during = async (stage) => {
    await mkdir(stage.checkpointFolder, { recursive: true });
    await writeFile(join(stage.checkpointFolder, 'step-1'), '');
    await writeFile(join(stage.folder, 'samples.txt.tmp-1'), 'half');
    throw new Error('power cut');
  };
  await expect(runStage(run, chain.samples, false)).rejects.toThrow('power cut');
  chain.during = () => undefined;
}

/** The checkpoints that samples finds when it works. */
function checkpointsFound(): string[][] {
  const found: string[][] = [];
  chain.during = (stage) => {
    if (stage.name !== 'samples') return;
    found.push(existsSync(stage.checkpointFolder) ? readdirSync(stage.checkpointFolder) : []);
  };
  return found;
}

test('a stage that was cut off goes on from its checkpoint, without half-written files', async () => {
  await cutOffSamples(chain.run());
  const found = checkpointsFound();
  const outcome = await runStage(chain.run(), chain.samples, false);
  expect(outcome.reason).toBe('was cut off; goes on from its last checkpoint');
  expect(found).toEqual([['step-1']]);
  expect(readdirSync(join(chain.folder, 'samples')).toSorted()).toEqual(['samples.txt', 'stage.json']);
});

test('a stage that was cut off after its manifest is complete, and leaves no checkpoint', async () => {
  await train(chain.run());
  const folder = join(chain.folder, 'samples');
  await mkdir(join(folder, 'checkpoint'));
  await writeFile(join(folder, 'checkpoint/step-1'), '');
  await writeFile(join(folder, 'started.txt'), 'key');
  expect(await reasons(chain.run())).toEqual(Array(3).fill('skipped'));
  expect(readdirSync(folder).toSorted()).toEqual(['samples.txt', 'stage.json']);
});

test('a stage that was cut off under other settings starts anew', async () => {
  await cutOffSamples(chain.run());
  const found = checkpointsFound();
  const outcome = await runStage(chain.run('samples.sequence.max_length=7'), chain.samples, false);
  expect(outcome.reason).toBe('was cut off, and its inputs have changed since');
  expect(found).toEqual([[]]);
});

test('a stage that was cut off starts anew when its raw files or its inputs have changed', async () => {
  await cutOffSamples(chain.run());
  await chain.writeSource('weeks');
  const found = checkpointsFound();
  expect(await reasons(chain.run())).toEqual([
    'raw.txt changed',
    'was cut off, and its inputs have changed since',
    'not run before',
  ]);
  expect(found).toEqual([[]]);
});

test('a forced stage does not go on from a checkpoint', async () => {
  await cutOffSamples(chain.run());
  const found = checkpointsFound();
  await runStage(chain.run(), chain.samples, true);
  expect(found).toEqual([[]]);
});

// ------------------------------------------------------------------------------------------- what must not be used unnoticed

test('a flipped byte in an input is noticed by the stage that reads it', async () => {
  const run = chain.run();
  await runStage(run, chain.logs, false);
  await chain.flipByte('logs/table/part-00000.txt');
  const [problem] = await problemsOf(runStage(run, chain.samples, false));
  expect(problem).toMatchObject({ code: 'run.changed_file' });
  expect(problem?.mend).toContain('cascade logs --force');
});

test('a removed input is noticed by the stage that reads it', async () => {
  const run = chain.run();
  await runStage(run, chain.logs, false);
  await rm(join(chain.folder, 'logs/table/part-00000.txt'));
  expect(await codesOf(runStage(run, chain.samples, false))).toEqual(['run.missing_file']);
});

test('a flipped byte in a manifest is noticed, and forcing the stage mends it', async () => {
  await train(chain.run());
  await chain.flipByte('samples/stage.json', 40);
  expect(await codesOf(train(chain.run()))).toEqual(['run.damaged_manifest']);
  await runStage(chain.run(), chain.samples, true);
  expect(await reasons(chain.run())).toEqual(Array(3).fill('skipped'));
});

test('a run of another format is refused', async () => {
  await train(chain.run());
  const manifest = (await readManifest(chain.folder, 'samples')) ?? internal('no manifest');
  await writeManifest(chain.folder, { ...manifest, format: runFormat + 1 });
  expect(await codesOf(train(chain.run()))).toEqual(['run.other_version']);
});

test('a raw file that is not there is told', async () => {
  await rm(join(chain.sourceFolder, 'raw.txt'));
  expect(await codesOf(train(chain.run()))).toEqual(['data.missing_file']);
});

// ------------------------------------------------------------------------------------------------- a stage run on its own

test('a stage whose input is missing names the command that makes it', async () => {
  const [problem] = await problemsOf(runStage(chain.run(), chain.samples, false));
  expect(problem).toMatchObject({ code: 'run.missing_stage', where: join(chain.folder, 'logs') });
  expect(problem?.mend).toContain('`cascade logs`');
});

test('a stage is refused when one above it was made with other settings, near or far', async () => {
  await train(chain.run());
  const near = await problemsOf(runStage(chain.run('samples.sequence.max_length=7'), chain.teacher, false));
  expect(near).toMatchObject([{ code: 'run.stale_stage', where: join(chain.folder, 'samples') }]);
  expect(near[0]?.what).toContain('samples.sequence.max_length changed from 50 to 7');
  const far = await problemsOf(runStage(chain.run('samples.label=like'), chain.teacher, true));
  expect(far).toMatchObject([{ code: 'run.stale_stage', where: join(chain.folder, 'logs') }]);
  expect(far[0]?.what).toContain('samples.label changed from "click" to "like"');
  expect(far[0]?.mend).toContain('`cascade logs`');
  expect(await codesOf(runStage(chain.run('seed=3'), chain.teacher, false))).toEqual(['run.stale_stage']);
});

test('a stage is refused when the one above it was built from files that are no more', async () => {
  await train(chain.run());
  await runStage(chain.run('samples.label=like'), chain.logs, false);
  const [problem] = await problemsOf(runStage(chain.run('samples.label=like'), chain.teacher, false));
  expect(problem).toMatchObject({ code: 'run.stale_stage', where: join(chain.folder, 'samples') });
  expect(problem?.what).toContain('stage `logs` wrote other files since');
});

test('a stage runs on a machine that has neither the raw files nor stages that it does not read', async () => {
  await runStage(chain.run(), chain.logs, false);
  await runStage(chain.run(), chain.samples, false);
  await rm(join(chain.folder, 'logs'), { recursive: true });
  await rm(chain.sourceFolder, { recursive: true });
  const { result } = await runStage(chain.run(), chain.teacher, false);
  expect(result.lines).toEqual(['click of days, at most 50, 1 epochs']);
});

test('reading what was not announced is a fault of ours', async () => {
  const run = chain.run();
  await train(run);
  chain.during = async (stage) => {
    await stage.read('logs', 'table/part-00000.txt');
  };
  await expect(runStage(run, chain.teacher, true)).rejects.toThrow('does not declare that it reads logs');
  chain.during = async (stage) => {
    await stage.read('samples', 'other.txt');
  };
  await expect(runStage(run, chain.teacher, true)).rejects.toThrow('which stage samples does not write');
  chain.during = async (stage) => {
    await stage.readSource('raw.txt');
  };
  await expect(runStage(run, chain.teacher, true)).rejects.toThrow('which it did not announce');
});

// ----------------------------------------------------------------------------------------------------- what is recorded

test('the manifest holds inputs, outputs, settings and where they came from; run.json points to it', async () => {
  await train(chain.run());
  const manifest = await readManifest(chain.folder, 'samples');
  expect(manifest).toMatchObject({
    stage: 'samples',
    seed: 1,
    settings: { samples: { sequence: { max_length: 50, delay_seconds: 0, events: ['click'] } } },
    inputs: [{ path: 'logs/table/part-00000.txt', bytes: 13 }],
    outputs: [{ path: 'samples/samples.txt', bytes: 25 }],
  });
  const logs = await readManifest(chain.folder, 'logs');
  expect(logs?.inputs.map(({ path }) => path)).toEqual(['raw.txt']);
  const index = JSON.parse(await readFile(join(chain.folder, 'run.json'), 'utf8')) as { stages: object };
  expect(index.stages).toMatchObject({
    logs: { manifest: 'logs/stage.json', files: 1, bytes: 13 },
    teacher: { manifest: 'teacher/stage.json' },
  });
  expect(await chain.text('run.json')).not.toContain(chain.folder);
});

test('raw files that a stage announced and did not open count as inputs all the same', async () => {
  await chain.writeSource('notes', 'notes.txt');
  chain.sources = ['raw.txt', 'notes.txt'];
  expect((await reasons(chain.run()))[0]).toBe('not run before');
  expect((await reasons(chain.run()))[0]).toBe('skipped');
  await chain.writeSource('other notes', 'notes.txt');
  expect((await reasons(chain.run()))[0]).toBe('notes.txt changed');
});

test('settings that are the same bytes of files are the same bytes of outputs, whenever they were written', async () => {
  await train(chain.run());
  const before = await readManifest(chain.folder, 'teacher');
  await train(chain.run(), true);
  const after = await readManifest(chain.folder, 'teacher');
  const digests = (manifest: typeof before) => manifest?.outputs.map(({ path, sha256 }) => [path, sha256]);
  expect(digests(after)).toEqual(digests(before));
  expect(after?.built_from).toEqual(before?.built_from);
});

// ------------------------------------------------------------------------------------------------------------ in advance

test('a plan says what would run and why, and leaves the folder as it is', async () => {
  const run = chain.run();
  expect(await plan(run, run.stages, () => false)).toEqual([
    { stage: 'logs', run: true, reason: 'not run before' },
    { stage: 'samples', run: true, reason: 'reads what logs will write' },
    { stage: 'teacher', run: true, reason: 'reads what samples will write' },
  ]);
  expect(existsSync(chain.folder)).toBe(false);
  await train(run);
  const said = async (run: Run, isForced: (stage: string) => boolean = () => false) =>
    (await plan(run, run.stages, isForced)).map(({ run, reason }) => (run ? reason : 'skip'));
  expect(await said(run)).toEqual(['skip', 'skip', 'skip']);
  expect(await said(run, (stage) => stage === 'teacher')).toEqual(['skip', 'skip', 'asked for']);
  expect(await said(chain.run('teacher.b_epochs=3'))).toEqual([
    'skip',
    'skip',
    'setting teacher.b_epochs changed from 1 to 3',
  ]);
  expect(await codesOf(plan(chain.run('seed=2'), [chain.teacher], () => false))).toEqual(['run.stale_stage']);
});

test('to decide is not to touch', async () => {
  await cutOffSamples(chain.run());
  const before = readdirSync(chain.folder, { recursive: true });
  await decide(chain.run(), chain.samples, true);
  await decide(chain.run('samples.sequence.max_length=7'), chain.samples, false);
  expect(readdirSync(chain.folder, { recursive: true })).toEqual(before);
});

// --------------------------------------------------------------------------------------------------------------- workers

test.each([false, true])(
  'a worker helps with the stages that it is told, and closes what they opened (a fault: %s)',
  async (isFault) => {
    await train(chain.run());
    const did: string[] = [];
    const teacher: StageDefinition = {
      ...chain.teacher,
      help: (stage) => {
        did.push(`help ${stage.name}`);
        stage.closeLater({ close: () => did.push('close') });
        return isFault ? Promise.reject(new Error('broken')) : Promise.resolve();
      },
    };
    const words = [2, 2, noMoreStages];
    const workers = { hear: () => Promise.resolve(words.shift()!) } as WorkerProcess;
    const helped = help({ ...chain.run(), stages: [chain.logs, chain.samples, teacher] }, workers);
    await (isFault ? expect(helped).rejects.toThrow('broken') : helped);
    const once = ['help teacher', 'close'];
    expect(did).toEqual(isFault ? once : [...once, ...once]);
  },
);
