import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { testData } from '../../test/support/encoded.js';
import { EncodedData, type SetName } from './encodedData.js';
import { shardsPerWindow } from './requestOrder.js';
import { shardBytes, type ShardEntry } from './shards.js';

/** A shard of requests with one candidate each, all of whose items are `item`. */
function write(folder: string, set: SetName, item: number, requests: number): ShardEntry {
  const zeros = new Float32Array(requests);
  const bytes = shardBytes(
    {
      requests,
      requestId: new BigInt64Array(requests),
      user: new Int32Array(requests),
      behaviours: new Int32Array(requests),
      slots: new Int32Array(0),
      numbers: new Float32Array(0),
      offsets: Int32Array.from({ length: requests + 1 }, (_, i) => i),
      items: new Int32Array(requests).fill(item),
      label: new Int8Array(requests),
      stage: new Int8Array(requests),
      weight: zeros,
      inclProb: zeros,
      drawProb: zeros,
    },
    { slots: 0, numbers: 0 },
  );
  mkdirSync(join(folder, set), { recursive: true });
  const file = `${set}/${item}.arrow`;
  writeFileSync(join(folder, file), bytes);
  return { file, split: 'train', requests, candidates: requests, positives: 0, maxCandidates: 1 };
}

it('has as many shards of a set and split in memory as a window has, and reads others over them', async () => {
  const folder = await temporaryFolder();
  const data = new EncodedData({ ...testData().opened, folder });
  const entries = Array.from({ length: shardsPerWindow + 2 }, (_, i) => write(folder, 'a', i, 100 - i));
  const others = [
    write(folder, 'b', 0, 30),
    { ...write(folder, 'a', shardsPerWindow + 2, 30), split: 'validation' as const },
  ];
  const ofOthers = others.map((entry) => data.shard(entry));
  const open = entries.slice(0, shardsPerWindow).map((entry) => data.shard(entry));
  expect(open.map(({ items }) => items[0])).toEqual([...open.keys()]);

  data.shard(entries[0]!); // so that the second is the one that was asked for longest ago
  const { buffer } = open[1]!.items;
  const next = data.shard(entries[shardsPerWindow]!);
  expect(next.items.buffer).toBe(buffer);
  expect(next.items).toEqual(new Int32Array(100 - shardsPerWindow).fill(shardsPerWindow));
  expect(data.shard(entries[0]!)).toBe(open[0]);
  for (const [i, entry] of entries.entries())
    expect(data.shard(entry).items).toEqual(new Int32Array(100 - i).fill(i));
  others.forEach((entry, i) => {
    expect(data.shard(entry)).toBe(ofOthers[i]);
  });
  const last = data.shard(entries.at(-1)!);

  data.letGo({ set: 'a', split: 'validation' });
  expect(data.shard(others[0]!)).toBe(ofOthers[0]);
  expect(data.shard(others[1]!)).not.toBe(ofOthers[1]);
  expect(data.shard(entries.at(-1)!)).toBe(last);

  data.letGo();
  expect(data.shard(others[0]!)).not.toBe(ofOthers[0]);
  expect(data.shard(entries.at(-1)!)).not.toBe(last);
});
