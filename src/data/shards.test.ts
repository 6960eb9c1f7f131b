import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { describeError } from '../errors.js';
import {
  entitiesBytes,
  indexText,
  readEntities,
  readIndex,
  readShard,
  readTrainingShard,
  shardBytes,
  type Shard,
} from './shards.js';

/** A shard of requests with these numbers of candidates. */
function shardOf(lengths: readonly number[], slots: number, numbers: number): Shard {
  const requests = lengths.length;
  const offsets = new Int32Array(requests + 1);
  lengths.forEach((length, i) => (offsets[i + 1] = offsets[i]! + length));
  const candidates = offsets[requests]!;
  const float = (length: number) => Float32Array.from({ length }, (_, i) => (i + 0.1) / 7);
  return {
    requests,
    requestId: BigInt64Array.from(lengths, (_, i) => 9007199254740993n + BigInt(i)),
    user: Int32Array.from(lengths, (_, i) => i % 3),
    behaviours: Int32Array.from(lengths, (_, i) => 2 * i),
    slots: Int32Array.from({ length: requests * slots }, (_, i) => i - 1),
    numbers: float(requests * numbers),
    offsets,
    items: Int32Array.from({ length: candidates }, (_, i) => 5 * i),
    label: Int8Array.from({ length: candidates }, (_, i) => i % 2),
    stage: Int8Array.from({ length: candidates }, (_, i) => i % 7),
    weight: float(candidates),
    inclProb: float(candidates),
    drawProb: float(candidates).fill(Number.NaN, 0, candidates >> 1),
  };
}

describe('encoded shards', () => {
  it('come back as they were written, with any widths, list lengths and numbers of requests', async () => {
    const path = join(await temporaryFolder(), 'x.arrow');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(5), { maxLength: 9 }),
        fc.nat(3),
        fc.nat(3),
        async (lengths, slots, numbers) => {
          const shard = shardOf(lengths, slots, numbers);
          await writeFile(path, shardBytes(shard, { slots, numbers }));
          expect(readShard(path)).toEqual(shard);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('have the same bytes for the same arrays', () => {
    const widths = { slots: 2, numbers: 1 };
    expect(shardBytes(shardOf([1, 2, 3], 2, 1), widths)).toEqual(
      shardBytes(shardOf([1, 2, 3], 2, 1), widths),
    );
  });

  it('are read as views on the bytes of the file, without a copy', async () => {
    const path = join(await temporaryFolder(), 'x.arrow');
    await writeFile(
      path,
      shardBytes(shardOf(new Array<number>(2000).fill(3), 2, 1), { slots: 2, numbers: 1 }),
    );
    const { requestId, user, slots, items, label, weight } = readShard(path);
    for (const array of [user, slots, items, label, weight]) expect(array.buffer).toBe(requestId.buffer);
  });

  it('give batches what these are made of, as copies that the next shard does not overwrite', async () => {
    const folder = await temporaryFolder();
    const shards = [shardOf([3, 1, 2], 2, 1), shardOf([9, 9, 9, 9], 1, 0)];
    const widths = [
      { slots: 2, numbers: 1 },
      { slots: 1, numbers: 0 },
    ];
    for (const [i, shard] of shards.entries())
      await writeFile(join(folder, `${i}.arrow`), shardBytes(shard, widths[i]!));
    const read = shards.map((_, i) => readTrainingShard(join(folder, `${i}.arrow`)));
    read.forEach((shard, i) => {
      expect(shards[i]).toMatchObject(shard);
      const arrays = Object.values(shard).filter((column) => typeof column !== 'number');
      const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(shard.items.buffer.byteLength).toBe(bytes); // no more of the file
      const given = new ArrayBuffer(bytes + 5);
      const again = readTrainingShard(join(folder, `${i}.arrow`), (wanted) => {
        expect(wanted).toBe(bytes);
        return given;
      });
      expect(again).toEqual(shard);
      expect(again.items.buffer).toBe(given);
    });
  });

  it('hold entities', async () => {
    const folder = await temporaryFolder();
    const entities = {
      count: 2,
      ids: BigInt64Array.of(-5n, 2n ** 60n),
      slots: Int32Array.of(1, 2, 3, -1),
      numbers: new Float32Array(0),
    };
    const bytes = entitiesBytes('item_id', entities, { slots: 2, numbers: 0 });
    await writeFile(join(folder, 'items.arrow'), bytes);
    expect(readEntities(join(folder, 'items.arrow'))).toEqual(entities);
  });

  it('are listed by an index in snake_case', async () => {
    const path = join(await temporaryFolder(), 'index.json');
    const entry = {
      file: 'a/part-00000.arrow',
      split: 'train',
      requests: 2,
      candidates: 5,
      positives: 1,
      maxCandidates: 3,
    } as const;
    const index = { users: 1, items: 2, behaviours: 3, a: [entry], b: [] };
    const text = indexText(index);
    expect(text).toContain('"max_candidates": 3');
    await writeFile(path, text);
    expect(readIndex(path)).toEqual({ version: 2, ...index });
  });

  it('that are damaged are told of as such', async () => {
    const path = join(await temporaryFolder(), 'x.arrow');
    await writeFile(path, shardBytes(shardOf([1, 2], 1, 0), { slots: 1, numbers: 0 }).subarray(0, 300));
    let message = '';
    try {
      readShard(path);
    } catch (error) {
      message = describeError(error).replace(path, 'x.arrow');
    }
    expect(message).toMatchInlineSnapshot(`
      "error  data.damaged_file  x.arrow
             This Arrow file cannot be read; it may be cut off or damaged.
             Run \`cascade samples --force\` with the same --config to write it anew."
    `);
  });
});
