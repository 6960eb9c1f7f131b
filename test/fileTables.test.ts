/** The whole chain with 10^8 embedding rows, in files: through the command line, killed and gone on, and in little memory. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../src/engine/safetensors.js';
import { bytesOf, newFolder, program, sets, smallChain } from './support/program.js';

const rows = 100_000_000;
const hashed = [
  ...smallChain,
  '--set',
  `features.item.0={ name: item, kind: hashed, column: items.item_id, buckets: ${rows} }`,
  ...sets({ 'training.embeddings.kind': 'file', 'training.embeddings.cache_megabytes': 1 }),
];

const whole = join(newFolder('hashed'), 'run');

beforeAll(async () => {
  expect((await program(['train', ...hashed, '--run', whole])).code).toBe(0);
}, 300_000);

describe('a chain with 10^8 embedding rows', () => {
  it('stores the rows that training touched, and no more', async () => {
    const { tensors, metadata } = await readSafetensors(join(whole, 'distill/two_tower.safetensors'));
    const seeding = JSON.parse(metadata.embeddings!) as { rows: number; width: number };
    expect(seeding.rows).toBeGreaterThan(rows);
    const [kept, width] = tensors['embeddings/rows']!.shape;
    expect(width).toBe(seeding.width);
    expect(tensors['embeddings/ids']!.shape).toEqual([kept]);
    expect(kept).toBeGreaterThan(150);
    expect(kept).toBeLessThan(1000);
    expect(statSync(join(whole, 'distill/two_tower.safetensors')).size).toBeLessThan(1_000_000);
    const ids = Array.from(tensors['embeddings/ids']!.values as Int32Array);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(ids.at(-1)).toBeGreaterThan(rows / 2);
  });

  it('has the same bytes after being killed again and again', async () => {
    const run = join(newFolder('hashed'), 'run');
    for (const killAfterMs of [4000, 5000, 6000, 7000, 8000]) {
      const { code } = await program(['train', ...hashed, '--run', run], killAfterMs);
      if (code === 0) break;
    }
    expect((await program(['train', ...hashed, '--run', run])).code).toBe(0);
    expect(bytesOf(run)).toEqual(bytesOf(whole));
  }, 300_000);
});
