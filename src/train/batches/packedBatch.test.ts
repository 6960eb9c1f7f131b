import { describe, expect, it } from 'vitest';
import type { FeedBatch } from '../../engine/gradients.js';
import { Packer, Unpacker } from './packedBatch.js';

const batchOf = (rows: number, value: number): FeedBatch => ({
  rowIds: Int32Array.from({ length: rows }, (_, i) => i + value),
  rowCount: rows - 1,
  tensors: {
    'a/label': {
      spec: { shape: [2, 3], dtype: 'float32' },
      data: Float32Array.of(0.5, -1, value, 3, 4, 5),
    },
    'a/empty': { spec: { shape: [2, 0], dtype: 'int32' }, data: new Int32Array(0) },
    'a/slots': { spec: { shape: [3], dtype: 'int32' }, data: Int32Array.of(-2, 2 ** 31 - 1, value) },
  },
});

describe('a packed batch', () => {
  it('comes out as it went in, whatever came before it', () => {
    const packer = new Packer();
    const unpacker = new Unpacker();
    for (const batch of [batchOf(4, 7), batchOf(64, 7), batchOf(4, 9)]) {
      const packed = packer.pack(batch);
      unpacker.note(packed);
      expect(unpacker.unpack(packed)).toEqual(batch);
    }
  });

  it('describes its layout where no batch before had it, and shares its specs with those that did', () => {
    const packer = new Packer();
    const packed = [batchOf(4, 7), batchOf(64, 7), batchOf(4, 9)].map((batch) => packer.pack(batch));
    expect(packed.map(({ layout, described }) => [layout, described?.rowIds])).toEqual([
      [0, 4],
      [1, 64],
      [0, undefined],
    ]);
    const unpacker = new Unpacker();
    for (const each of packed) unpacker.note(each);
    const [first, third] = [packed[0]!, packed[2]!].map((each) => unpacker.unpack(each));
    expect(third!.tensors['a/label']!.spec).toBe(first!.tensors['a/label']!.spec);
  });
});
