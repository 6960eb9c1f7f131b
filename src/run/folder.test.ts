import { existsSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/pipeline.js';
import { codesOf } from '../../test/support/run.js';
import { sha256Text } from './files.js';
import { openRunFolder } from './folder.js';
import { lockRun } from './lock.js';
import { silentProgress } from './progress.js';

const folderIn = (parent: string) => join(parent, 'runs/mine');

/** Opens and closes a run folder; returns what was noted on the way. */
async function visit(folder: string, config: string): Promise<string[]> {
  const notes: string[] = [];
  const release = await openRunFolder(folder, config, {
    ...silentProgress,
    note: (line) => void notes.push(line),
  });
  await release();
  return notes;
}

test('a run folder is made, with the config and its digest in the index', async () => {
  const folder = folderIn(temporaryFolder());
  expect(await visit(folder, 'seed: 1\n')).toEqual([]);
  expect(await readFile(join(folder, 'config.yaml'), 'utf8')).toBe('seed: 1\n');
  const index = JSON.parse(await readFile(join(folder, 'run.json'), 'utf8')) as unknown;
  expect(index).toEqual({ format: 1, config_sha256: sha256Text('seed: 1\n'), stages: {} });
});

test('another config is written without a word, a config edited by hand is noted', async () => {
  const folder = folderIn(temporaryFolder());
  await visit(folder, 'seed: 1\n');
  expect(await visit(folder, 'seed: 2\n')).toEqual([]);
  writeFileSync(join(folder, 'config.yaml'), 'seed: 3\n');
  const [note] = await visit(folder, 'seed: 2\n');
  expect(note).toContain('config.yaml was edited since the last command');
  expect(await readFile(join(folder, 'config.yaml'), 'utf8')).toBe('seed: 2\n');
  expect(await visit(folder, 'seed: 2\n')).toEqual([]);
});

test('a damaged index is written anew', async () => {
  const folder = folderIn(temporaryFolder());
  await visit(folder, 'seed: 1\n');
  writeFileSync(join(folder, 'run.json'), '{');
  expect(await visit(folder, 'seed: 2\n')).toEqual([
    expect.stringContaining('run.json is not what the stages'),
  ]);
  expect(await readFile(join(folder, 'run.json'), 'utf8')).toContain(sha256Text('seed: 2\n'));
});

test('while another holds the lock nothing is written', async () => {
  const folder = folderIn(temporaryFolder());
  await visit(folder, 'seed: 1\n');
  const release = await lockRun(folder);
  expect(await codesOf(visit(folder, 'seed: 2\n'))).toEqual(['run.locked']);
  expect(await readFile(join(folder, 'config.yaml'), 'utf8')).toBe('seed: 1\n');
  await release();
});

test('a file in the way of the run folder is told', async () => {
  const parent = temporaryFolder();
  writeFileSync(join(parent, 'runs'), '');
  expect(await codesOf(visit(folderIn(parent), ''))).toEqual(['disk.not_a_folder']);
  writeFileSync(join(parent, 'run'), '');
  expect(await codesOf(visit(join(parent, 'run'), ''))).toEqual(['disk.not_a_folder']);
});

test('the lock is given back when the config cannot be written', async () => {
  const folder = folderIn(temporaryFolder());
  await visit(folder, 'seed: 1\n');
  await expect(visit(folder, null as unknown as string)).rejects.toThrow(); // what a fault of ours would do
  expect(existsSync(join(folder, '.lock'))).toBe(false);
});
