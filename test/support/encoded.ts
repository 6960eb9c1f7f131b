/**
 * A small encoded data set made from a seed, for tests of models and training: users with a multi-valued feature and numbers, items
 * with three fields, behaviours, requests of uneven length, a user without history.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EncodedData } from '../../src/data/encodedData.js';
import { openEncodedData } from '../../src/data/openEncodedData.js';
import { parseTransform, type Transform } from '../../src/data/features.js';
import { behavioursFile, SequenceReader, sequencesBytes, type Sequences } from '../../src/data/sequences.js';
import {
  entitiesBytes,
  indexText,
  shardBytes,
  type Shard,
  type ShardEntry,
  type Split,
} from '../../src/data/shards.js';
import { RandomStream } from '../../src/engine/random.js';

const users = 12;
const items = 40;
const authors = 9;
const categories = 4;

const testTransform: Transform = parseTransform(
  JSON.stringify({
    version: 1,
    rows: 200,
    slots: { users: 4, requests: 1, items: 3 },
    numbers: { users: 2, requests: 0, items: 2 },
    features: [
      feature('user', 'user', 'users', 'id', { first_row: 0, rows: 20, slot: 0 }),
      {
        ...feature('interests', 'user', 'users', 'multi_valued', { first_row: 20, rows: 10, slot: 1 }),
        slots: 3,
        max_values: 3,
      },
      number('age', 'user', 'users'),
      feature('hour', 'context', 'requests', 'id', { first_row: 30, rows: 26, slot: 0 }),
      feature('item', 'item', 'items', 'id', { first_row: 60, rows: 60, slot: 0 }),
      feature('author', 'item', 'items', 'id', { first_row: 120, rows: 20, slot: 1 }),
      feature('category', 'item', 'items', 'id', { first_row: 140, rows: 10, slot: 2 }),
      number('length', 'item', 'items'),
    ],
    sequence: {
      features: ['item', 'author', 'category'],
      events: ['click'],
      max_length: 8,
      delay_seconds: 0,
    },
  }),
  'test transform',
);

function feature(
  name: string,
  side: string,
  source: string,
  kind: string,
  place: { first_row: number; rows: number; slot: number },
) {
  return {
    name,
    side,
    source,
    columns: [name],
    ...place,
    slots: 1,
    number: 0,
    numbers: 0,
    kind,
    nulls: 'own_row',
    min_count: 1,
  };
}

function number(name: string, side: string, source: string) {
  const place = { first_row: 0, rows: 0, slot: 0, slots: 0, number: 0, numbers: 2 };
  return {
    name,
    side,
    source,
    columns: [name],
    ...place,
    kind: 'numeric',
    nulls: 'mean',
    transform: 'none',
    mean: 0,
    deviation: 1,
  };
}

/**
 * Writes the data set into a new temporary folder and opens it. Labels follow the category of the latest behaviour. With a
 * `vectorWidth`, items have vectors of the user's.
 */
export function testData(
  options: {
    seed?: number;
    width?: number;
    requests?: number;
    vectorWidth?: number;
    behaviours?: number;
  } = {},
): EncodedData {
  const {
    seed = 1,
    width = 6,
    requests = 60,
    vectorWidth = 0,
    behaviours: longest = testTransform.sequence.maxLength,
  } = options;
  const stream = RandomStream.of(seed, 'test data');
  const folder = mkdtempSync(join(tmpdir(), 'cascade-encoded-'));
  mkdirSync(join(folder, 'a'));
  mkdirSync(join(folder, 'b'));
  const category = Int32Array.from({ length: items }, () => stream.below(categories));

  const userSlots: number[] = [];
  const userNumbers: number[] = [];
  for (let user = 0; user < users; user++) {
    const interests = Array.from({ length: 3 }, (_, i) => (i <= user % 3 ? 22 + stream.below(8) : -1));
    userSlots.push(2 + user, ...interests);
    userNumbers.push(stream.normal(), user % 4 === 0 ? 1 : 0);
  }
  const itemSlots: number[] = [];
  const itemNumbers: number[] = [];
  for (let item = 0; item < items; item++) {
    const known = item < items - 3; // the last items were never seen in training
    itemSlots.push(60 + (known ? 2 + item : 0), 120 + 2 + (item % authors), 140 + 2 + category[item]!);
    itemNumbers.push(stream.normal(), 0);
  }
  const offsets = new Int32Array(users + 1);
  const behaviours: number[] = [];
  for (let user = 0; user < users; user++) {
    const length = user === 0 ? 0 : 3 + stream.below(12);
    for (let i = 0; i < length; i++) behaviours.push(stream.below(items));
    offsets[user + 1] = behaviours.length;
  }

  const shardOf = (count: number, firstId: number, least: number, most: number): Shard => {
    const rows = {
      user: [] as number[],
      prefix: [] as number[],
      hour: [] as number[],
      item: [] as number[],
      label: [] as number[],
    };
    const starts = new Int32Array(count + 1);
    for (let r = 0; r < count; r++) {
      const user = stream.below(users);
      const prefix = stream.below(offsets[user + 1]! - offsets[user]! + 1);
      const latest = prefix > 0 ? category[behaviours[offsets[user]! + prefix - 1]!]! : -1;
      rows.user.push(user);
      rows.prefix.push(prefix);
      rows.hour.push(32 + stream.below(24));
      const candidates = least + stream.below(most - least + 1);
      for (let c = 0; c < candidates; c++) {
        const item = stream.below(items);
        rows.item.push(item);
        rows.label.push(stream.uniform() < (category[item] === latest ? 0.8 : 0.2) ? 1 : 0);
      }
      starts[r + 1] = rows.item.length;
    }
    const candidates = rows.item.length;
    return {
      requests: count,
      requestId: BigInt64Array.from({ length: count }, (_, r) => BigInt(firstId + r)),
      user: Int32Array.from(rows.user),
      behaviours: Int32Array.from(rows.prefix),
      slots: Int32Array.from(rows.hour),
      numbers: new Float32Array(0),
      offsets: starts,
      items: Int32Array.from(rows.item),
      label: Int8Array.from(rows.label),
      stage: new Int8Array(candidates).fill(6),
      weight: Float32Array.from({ length: candidates }, () => (least > 1 ? 1 + stream.below(3) : 1)),
      inclProb: new Float32Array(candidates).fill(1),
      drawProb: new Float32Array(candidates).fill(Number.NaN),
    };
  };
  let id = 1;
  const write = (
    set: 'a' | 'b',
    splits: readonly [Split, number][],
    least: number,
    most: number,
  ): ShardEntry[] =>
    splits.map(([split, count], part) => {
      const shard = shardOf(count, id, least, most);
      id += count;
      const file = `${set}/part-${String(part).padStart(5, '0')}.arrow`;
      writeFileSync(join(folder, file), shardBytes(shard, { slots: 1, numbers: 0 }));
      const sizes = Array.from({ length: count }, (_, r) => shard.offsets[r + 1]! - shard.offsets[r]!);
      return {
        file,
        split,
        requests: count,
        candidates: shard.items.length,
        positives: shard.label.reduce((sum, label) => sum + label, 0),
        maxCandidates: Math.max(...sizes),
      };
    });
  const half = Math.ceil(requests / 2);
  const a = write(
    'a',
    [
      ['train', half],
      ['train', requests - half],
      ['validation', 20],
      ['test', 20],
    ],
    1,
    3,
  );
  const b = write(
    'b',
    [
      ['train', half],
      ['validation', 8],
      ['test', 8],
    ],
    4,
    5,
  );
  writeFileSync(
    join(folder, 'users.arrow'),
    entitiesBytes(
      'user_id',
      {
        count: users,
        ids: ids(users),
        slots: Int32Array.from(userSlots),
        numbers: Float32Array.from(userNumbers),
      },
      { slots: 4, numbers: 2 },
    ),
  );
  writeFileSync(
    join(folder, 'items.arrow'),
    entitiesBytes(
      'item_id',
      {
        count: items,
        ids: ids(items),
        slots: Int32Array.from(itemSlots),
        numbers: Float32Array.from(itemNumbers),
      },
      { slots: 3, numbers: 2 },
    ),
  );
  writeFileSync(
    join(folder, 'sequences.arrow'),
    sequencesBytes(Int32Array.from({ length: users }, (_, user) => offsets[user + 1]! - offsets[user]!)),
  );
  writeFileSync(join(folder, behavioursFile), Int32Array.from(behaviours));
  writeFileSync(join(folder, 'index.json'), indexText({ users, items, behaviours: behaviours.length, a, b }));
  const vectors = RandomStream.of(seed, 'item vectors').normals(items * vectorWidth);
  const transform = { ...testTransform, sequence: { ...testTransform.sequence, maxLength: longest } };
  return openEncodedData(
    join(folder, 'index.json'),
    transform,
    width,
    vectorWidth > 0 ? { width: vectorWidth, values: vectors } : null,
  );
}

const ids = (count: number) => BigInt64Array.from({ length: count }, (_, i) => BigInt(1000 + i));

/** All behaviours of a user, oldest first. */
export function behavioursOf(sequences: Sequences, user: number): number[] {
  const reader = new SequenceReader(sequences);
  const count = sequences.starts[user + 1]! - sequences.starts[user]!;
  const behaviours = [...reader.latest(user, count, count)];
  reader.close();
  return behaviours;
}
