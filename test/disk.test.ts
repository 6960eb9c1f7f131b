/** Disks that are full, folders that cannot be written: one clear error, nothing half written, and the same command goes on. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, filesOf, newFolder, program, smallChain } from './support/program.js';

const disk = join(newFolder('disk'), 'mount');
const mount = (...args: string[]) => execFileSync('mount', args, { stdio: 'ignore' });

/** A file system of our own needs a right that not every machine gives. */
function canMount(): boolean {
  mkdirSync(disk, { recursive: true });
  try {
    mount('-t', 'tmpfs', '-o', 'size=600k', 'tmpfs', disk);
    return true;
  } catch {
    return false;
  }
}

const mounted = canMount();
const run = join(disk, 'run');

afterAll(() => {
  if (mounted) execFileSync('umount', [disk], { stdio: 'ignore' });
});

describe.skipIf(!mounted)('on a small file system of its own', () => {
  it('a full disk stops the run with one error, leaves nothing half written, and the same command goes on after', async () => {
    const { code, err } = await program(['logs', ...smallChain, '--run', run]);
    expect(code).toBe(1);
    expect(err).toContain('disk.full');
    expect(err).toContain('run the same command again');
    expect(err).not.toContain('internal:');
    expect(filesOf(run).filter((file) => file.includes('tmp-'))).toEqual([]);
    expect(existsSync(join(run, 'logs/stage.json'))).toBe(false);

    mount('-o', 'remount,size=200m', disk);
    expect((await program(['logs', ...smallChain, '--run', run])).code).toBe(0);
    const elsewhere = join(newFolder(), 'run');
    await program(['logs', ...smallChain, '--run', elsewhere]);
    expect(bytesOf(run)).toEqual(bytesOf(elsewhere));
  });

  it('a read-only folder is told', async () => {
    mount('-o', 'remount,ro', disk);
    const { code, err } = await program(['logs', ...smallChain, '--run', join(disk, 'other')]);
    expect(code).toBe(1);
    expect(err).toContain('disk.read_only');
    expect(err).toContain('--run');
    mount('-o', 'remount,rw', disk);
  });
});

describe('a run folder that cannot be', () => {
  let file: string;
  beforeAll(() => {
    file = join(newFolder(), 'file');
    writeFileSync(file, '');
  });

  it.each([
    ['is a file', () => file, 'disk.not_a_folder'],
    ['lies below a file', () => join(file, 'run'), 'disk.not_a_folder'],
    ['lies where nothing may be made', () => '/proc/cascade/run', 'disk.read_only'],
  ])('%s', async (_, folder, expected) => {
    const { code, err } = await program(['logs', ...smallChain, '--run', folder()]);
    expect(code).toBe(1);
    expect(err).toContain(expected);
    expect(err).not.toContain('internal:');
  });
});
