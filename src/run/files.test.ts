import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/pipeline.js';
import { codesOf } from '../../test/support/run.js';
import { sameTrace, sha256, sha256Text, sweepTemporaries, traceOf, writeText, writeWhole } from './files.js';

test('a file appears whole, in folders that are made for it', async () => {
  const path = join(temporaryFolder(), 'a/b/c.txt');
  await writeWhole(path, async (temporary) => {
    await writeFile(temporary, 'half');
    expect(existsSync(path)).toBe(false);
    await writeFile(temporary, 'whole');
  });
  expect(readFileSync(path, 'utf8')).toBe('whole');
  expect(readdirSync(join(path, '..'))).toEqual(['c.txt']);
});

test('a failed write leaves the old file and nothing else', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'file.txt');
  await writeText(path, 'old');
  const failing = writeWhole(path, async (temporary) => {
    await writeFile(temporary, 'half');
    throw new Error('stopped');
  });
  await expect(failing).rejects.toThrow('stopped');
  expect(readdirSync(folder)).toEqual(['file.txt']);
  expect(readFileSync(path, 'utf8')).toBe('old');
});

/** A write that the system refuses with this code. */
const refused = (code: string) =>
  writeWhole(join(temporaryFolder(), 'file'), () => Promise.reject(Object.assign(new Error(code), { code })));

test.each([
  ['ENOSPC', 'disk.full'],
  ['EDQUOT', 'disk.full'],
  ['EROFS', 'disk.read_only'],
  ['EACCES', 'disk.read_only'],
  ['EPERM', 'disk.read_only'],
  ['ENOTDIR', 'disk.not_a_folder'],
])('%s becomes %s', async (system, code) => {
  expect(await codesOf(refused(system))).toEqual([code]);
});

test('other errors of the system stay what they are', async () => {
  await expect(refused('EIO')).rejects.toThrow('EIO');
});

test('a file in place of a folder is told, and so is a folder in place of a file', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'folder'));
  expect(await codesOf(writeText(join(folder, 'file/below.txt'), ''))).toEqual(['disk.not_a_folder']);
  expect(await codesOf(writeText(join(folder, 'folder'), ''))).toEqual(['disk.not_a_folder']);
  expect(readdirSync(folder).toSorted()).toEqual(['file', 'folder']);
});

test('temporary files of a killed process are swept, others stay', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'inner'));
  for (const name of ['a.parquet', 'a.parquet.tmp-123', 'inner/b.tmp-9', 'inner/b']) {
    writeFileSync(join(folder, name), '');
  }
  await sweepTemporaries(folder);
  expect(readdirSync(folder, { recursive: true }).map(String).toSorted()).toEqual([
    'a.parquet',
    'inner',
    'inner/b',
  ]);
  await sweepTemporaries(join(folder, 'missing'));
});

test('the digest of a file is that of its text', async () => {
  const path = join(temporaryFolder(), 'file');
  await writeText(path, 'abc');
  expect(await sha256(path)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256Text('abc')).toBe(await sha256(path));
});

test('a file written again leaves another trace, a missing file none', async () => {
  const path = join(temporaryFolder(), 'file');
  expect(await traceOf(path)).toBeNull();
  await writeText(path, 'abc');
  const before = (await traceOf(path))!;
  expect(before.bytes).toBe(3);
  expect(sameTrace(before, (await traceOf(path))!)).toBe(true);
  await writeText(path, 'abd');
  expect(sameTrace(before, (await traceOf(path))!)).toBe(false);
});

test('files of any length are hashed, several at a time', async () => {
  const folder = temporaryFolder();
  const texts = [0, 1, 2 ** 16 - 1, 2 ** 16, 2 ** 16 + 1, 300_000].map((length) => 'x'.repeat(length));
  const paths = texts.map((text, i) => {
    const path = join(folder, String(i));
    writeFileSync(path, text);
    return path;
  });
  for (let round = 0; round < 2; round++)
    expect(await Promise.all(paths.map(sha256))).toEqual(texts.map(sha256Text));
});
