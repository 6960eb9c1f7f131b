import { mkdtempSync, readFileSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from './safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'cascade-safetensors-'));
const file = {
  tensors: {
    'tower/weight': { shape: [2, 3], values: Float32Array.of(1, -2, 3.5, Number.NaN, Infinity, 1e-40) },
    scalar: { shape: [], values: Float32Array.of(7) },
    codes: { shape: [3], values: Int32Array.of(-1, 0, 2 ** 31 - 1) },
    ids: { shape: [1], values: BigInt64Array.of(9007199254740993n) },
    nothing: { shape: [0, 4], values: new Float32Array(0) },
  },
  metadata: { step: '12', note: 'ünïcode' },
};

describe('safetensors', () => {
  it('reads back what was written, every type and shape', async () => {
    const path = join(folder, 'a.safetensors');
    await writeSafetensors(path, file);
    expect(await readSafetensors(path)).toEqual(file);
  });

  it('follows the format: header length, JSON with offsets into the data, 8-byte aligned', async () => {
    const path = join(folder, 'b.safetensors');
    await writeSafetensors(path, file);
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    expect(header['tower/weight']).toEqual({ dtype: 'F32', shape: [2, 3], data_offsets: [24, 48] });
    const start = 8 + length + header['tower/weight']!.data_offsets[0];
    expect(bytes.readFloatLE(start + 8)).toBe(3.5);
    expect(bytes.length).toBe(8 + length + 48);
  });

  it('gives the same bytes whatever the order of the tensors', async () => {
    const { ids, ...others } = file.tensors;
    await writeSafetensors(join(folder, 'c.safetensors'), file);
    await writeSafetensors(join(folder, 'd.safetensors'), { ...file, tensors: { ids, ...others } });
    expect(readFileSync(join(folder, 'c.safetensors'))).toEqual(readFileSync(join(folder, 'd.safetensors')));
  });

  it.each([4, 60, 300])('says that a file cut off at %d bytes is damaged', async (bytes) => {
    const path = join(folder, `cut-${bytes}.safetensors`);
    await writeSafetensors(path, file);
    truncateSync(path, bytes);
    await expect(readSafetensors(path)).rejects.toMatchObject({
      problems: [{ code: 'run.damaged_weights', where: path }],
    });
  });
});
