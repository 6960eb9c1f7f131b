import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/pipeline.js';
import { codesOf, problemsOf } from '../../test/support/run.js';
import { lockRun } from './lock.js';

/** A run folder as a process left it that never gave its lock back. */
function lockedBy(pid: number, host: string): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, '.lock'));
  writeFileSync(join(folder, '.lock-holder'), `${pid} ${host}`);
  return folder;
}

const deadProcess = () => spawnSync(process.execPath, ['-e', '0']).pid;

test('a lock keeps others out until it is given back, and leaves nothing', async () => {
  const folder = temporaryFolder();
  const release = await lockRun(folder);
  expect(readFileSync(join(folder, '.lock-holder'), 'utf8')).toBe(`${process.pid} ${hostname()}`);
  const [problem] = await problemsOf(lockRun(folder));
  expect(problem).toMatchObject({ code: 'run.locked', where: folder });
  expect(problem?.what).toContain(`process ${process.pid} on ${hostname()}`);
  await release();
  expect(readdirSync(folder)).toEqual([]);
  await (
    await lockRun(folder)
  )();
});

test('the lock of a dead process of this machine is taken over at once', async () => {
  const folder = lockedBy(deadProcess(), hostname());
  const release = await lockRun(folder);
  expect(readFileSync(join(folder, '.lock-holder'), 'utf8')).toBe(`${process.pid} ${hostname()}`);
  await release();
});

test('the lock of another machine is respected, whatever its process number', async () => {
  expect(await codesOf(lockRun(lockedBy(deadProcess(), 'elsewhere')))).toEqual(['run.locked']);
});

test('the lock of a living process is respected', async () => {
  const folder = lockedBy(process.ppid, hostname());
  expect(await codesOf(lockRun(folder))).toEqual(['run.locked']);
  expect(existsSync(join(folder, '.lock'))).toBe(true);
});

test('a lock that could not be refreshed in time, as on a machine that slept, is taken again', async () => {
  const folder = temporaryFolder();
  const release = await lockRun(folder, 2000);
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(join(folder, '.lock'), longAgo, longAgo);
  await setTimeout(1500); // it is refreshed every second
  expect(Date.now() - statSync(join(folder, '.lock')).mtimeMs).toBeLessThan(10_000);
  expect(await codesOf(lockRun(folder, 2000))).toEqual(['run.locked']);
  await release();
  expect(readdirSync(folder)).toEqual([]);
});
