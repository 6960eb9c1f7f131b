import { describe, expect, it } from 'vitest';
import type { FeedBatch } from '../../engine/gradients.js';
import { packBatch, Unpacker } from './packedBatch.js';

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
    const unpacker = new Unpacker();
    for (const batch of [batchOf(4, 7), batchOf(64, 7), batchOf(4, 9)]) {
      expect(unpacker.unpack(packBatch(batch))).toEqual(batch);
    }
  });
});
