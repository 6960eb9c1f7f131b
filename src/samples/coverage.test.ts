import { describe, expect, it } from 'vitest';
import type { FittedFeature, Transform } from '../data/features.js';
import type { Entities, Shard } from '../data/shards.js';
import { Coverage } from './coverage.js';

const place = { columns: ['x'], rows: 4, number: 0, numbers: 0, nulls: 'own_row' as const, minCount: 1 };
const features: FittedFeature[] = [
  { ...place, name: 'user', side: 'user', source: 'users', kind: 'id', firstRow: 0, slot: 0, slots: 1 },
  { ...place, name: 'tab', side: 'context', source: 'requests', kind: 'cross', firstRow: 4, slot: 0, slots: 1 },
  { ...place, name: 'tags', side: 'item', source: 'items', kind: 'multi_valued', maxValues: 2, firstRow: 8, slot: 0, slots: 2 },
]; // prettier-ignore
const transform: Transform = {
  version: 1,
  rows: 12,
  slots: { users: 1, requests: 1, items: 2 },
  numbers: { users: 0, requests: 0, items: 0 },
  features,
  sequence: { features: [], events: [], maxLength: 50, delaySeconds: 0 },
};
const entities = (slots: number[]): Entities => ({
  count: 2,
  ids: BigInt64Array.of(1n, 2n),
  slots: Int32Array.from(slots),
  numbers: new Float32Array(0),
});
/** Two requests, of users 0 and 1; the first shows items 0 and 1, the second item 1. */
const shard: Shard = {
  requests: 2,
  requestId: BigInt64Array.of(1n, 2n),
  user: Int32Array.of(0, 1),
  behaviours: new Int32Array(2),
  slots: Int32Array.of(4, 5),
  numbers: new Float32Array(0),
  offsets: Int32Array.of(0, 2, 3),
  items: Int32Array.of(0, 1, 1),
  label: new Int8Array(3),
  stage: new Int8Array(3),
  weight: new Float32Array(3),
  inclProb: new Float32Array(3),
  drawProb: new Float32Array(3),
};

describe('coverage', () => {
  it('is counted per request for users and context, per candidate and value for items', () => {
    // User 1 is out of vocabulary, request 0's tab too (the other is a null); item 0 has one tag, known; item 1 a known one and one not.
    const coverage = new Coverage(transform, { users: entities([2, 0]), items: entities([10, -1, 10, 8]) });
    coverage.add('test', shard);
    expect(['user', 'tab', 'tags'].map((name) => coverage.share(name, 'test'))).toEqual([
      1 / 2,
      1 / 2,
      2 / 5,
    ]);
  });

  it('is not a number where nothing was looked up', () => {
    const coverage = new Coverage(transform, { users: entities([2, 0]), items: entities([10, -1, 10, 8]) });
    expect(coverage.share('user', 'test')).toBeNull();
    expect(coverage.share('no such feature', 'test')).toBeNull();
  });
});
