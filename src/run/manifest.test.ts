import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/pipeline.js';
import { codesOf } from '../../test/support/run.js';
import { outputsDigest, readManifest, runFormat, writeManifest, type Manifest } from './manifest.js';

const file = (path: string, sha256: string) => ({ path, sha256, bytes: 1, mtime_ms: 2, inode: 3 });

const manifest: Manifest = {
  format: runFormat,
  stage: 'samples',
  stage_version: 1,
  seed: 1,
  settings: { samples: { label: 'click' } },
  built_from: { logs: 'abc' },
  inputs: [file('logs/a', 'x')],
  outputs: [file('samples/b', 'y'), file('samples/c', 'z')],
  result: { lines: ['é'], data: null },
  versions: { cascade: '0.1.0' },
  started_at: '2026-01-01T00:00:00.000Z',
  duration_seconds: 1.5,
};

async function written(): Promise<{ folder: string; path: string }> {
  const folder = temporaryFolder();
  await writeManifest(folder, manifest);
  return { folder, path: join(folder, 'samples/stage.json') };
}

test('a manifest is read as it was written', async () => {
  const { folder, path } = await written();
  const { checksum, ...rest } = JSON.parse(readFileSync(path, 'utf8')) as Manifest & { checksum: string };
  expect(rest).toEqual(manifest);
  expect(checksum).toMatch(/^[0-9a-f]{64}$/);
  expect(await readManifest(folder, 'samples')).toEqual(manifest);
});

test('a stage without a manifest has none', async () => {
  expect(await readManifest(temporaryFolder(), 'eval')).toBeNull();
});

test('one changed byte anywhere is noticed', async () => {
  const { folder, path } = await written();
  const bytes = readFileSync(path);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= change;
      writeFileSync(path, damaged);
      expect(await codesOf(readManifest(folder, 'samples'))).toEqual(['run.damaged_manifest']);
    }),
    { numRuns: 200 },
  );
});

test('a truncated or emptied manifest is noticed', async () => {
  const { folder, path } = await written();
  const text = readFileSync(path, 'utf8');
  for (const part of [text.slice(0, -1), text.slice(0, 100), '']) {
    writeFileSync(path, part);
    expect(await codesOf(readManifest(folder, 'samples'))).toEqual(['run.damaged_manifest']);
  }
});

test('a manifest of another format is refused', async () => {
  const folder = temporaryFolder();
  await writeManifest(folder, { ...manifest, format: 99 });
  expect(await codesOf(readManifest(folder, 'samples'))).toEqual(['run.other_version']);
});

test('the digest of outputs tells names and contents, not times or order', () => {
  const [b, c] = manifest.outputs as [Manifest['outputs'][0], Manifest['outputs'][0]];
  const digest = outputsDigest(manifest);
  expect(outputsDigest({ ...manifest, outputs: [c, { ...b, mtime_ms: 9, inode: 9 }] })).toBe(digest);
  expect(outputsDigest({ ...manifest, outputs: [b] })).not.toBe(digest);
  expect(outputsDigest({ ...manifest, outputs: [b, { ...c, sha256: 'w' }] })).not.toBe(digest);
  expect(outputsDigest({ ...manifest, outputs: [b, { ...c, path: 'samples/d' }] })).not.toBe(digest);
});
