/**
 * The encoded samples that training reads: Arrow files of flat arrays, one shard per Parquet part with the same requests in the
 * same order, and the users, items and sequences that the shards point into.
 *
 *   encoded/a/part-00000.arrow, encoded/b/…   requests with their candidates
 *   encoded/users.arrow, encoded/items.arrow   slots and numbers of every user and item, by id; the row is the index
 *   encoded/sequences.arrow, encoded/behaviours.i32   the behaviours of each user (sequences.ts)
 *   encoded/index.json                         which shards there are, of which split, and all sizes
 */
import { readFileSync } from 'node:fs';
import { camelKeys } from '../config/config.js';
import { internal } from '../errors.js';
import { arrowBytes, ArrowFile, type Flat } from './arrow.js';

/** Requests with their candidates; candidate c of request r is at offsets[r] + c. */
export interface Shard {
  readonly requests: number;
  readonly requestId: BigInt64Array; // [request]
  /** Row in users.arrow and sequences.arrow. */
  readonly user: Int32Array; // [request]
  /** How many of the user's behaviours came before the request: a prefix of its sequence. */
  readonly behaviours: Int32Array; // [request]
  /** Features that are read from the request itself. */
  readonly slots: Int32Array; // [request · slot]
  readonly numbers: Float32Array; // [request · number]
  readonly offsets: Int32Array; // [request + 1]
  /** Row in items.arrow. */
  readonly items: Int32Array; // [candidate]
  readonly label: Int8Array; // [candidate]
  readonly stage: Int8Array; // [candidate]
  readonly weight: Float32Array; // [candidate]
  readonly inclProb: Float32Array; // [candidate]
  /** NaN for a logged candidate: nobody drew it. */
  readonly drawProb: Float32Array; // [candidate]
}

/** What batches and scores are made of: half of a shard's bytes. */
export type TrainingShard = Omit<Shard, 'stage' | 'inclProb' | 'drawProb'>;

/** Users or items in ascending order of id; the place of an id is its index everywhere else. */
export interface Entities {
  readonly count: number;
  readonly ids: BigInt64Array; // [entity]
  readonly slots: Int32Array; // [entity · slot]
  readonly numbers: Float32Array; // [entity · number]
}

export const splits = ['train', 'validation', 'test'] as const;
export type Split = (typeof splits)[number];

export interface ShardEntry {
  /** Relative to the folder of index.json. */
  readonly file: string;
  readonly split: Split;
  readonly requests: number;
  readonly candidates: number;
  /** Candidates with label 1. */
  readonly positives: number;
  /** Most candidates of one request. */
  readonly maxCandidates: number;
}

export interface EncodedIndex {
  readonly version: number;
  readonly users: number;
  readonly items: number;
  readonly behaviours: number;
  readonly a: readonly ShardEntry[];
  readonly b: readonly ShardEntry[];
}

const indexVersion = 2;

// -------------------------------------------------------------------------------------------------------------- writing

export function shardBytes(shard: Shard, widths: { slots: number; numbers: number }): Uint8Array {
  const { offsets } = shard;
  return arrowBytes(shard.requests, {
    request_id: { kind: 'flat', values: shard.requestId },
    user: { kind: 'flat', values: shard.user },
    behaviours: { kind: 'flat', values: shard.behaviours },
    slots: { kind: 'fixed', values: shard.slots, width: widths.slots },
    numbers: { kind: 'fixed', values: shard.numbers, width: widths.numbers },
    items: { kind: 'list', values: shard.items, offsets },
    label: { kind: 'list', values: shard.label, offsets },
    stage: { kind: 'list', values: shard.stage, offsets },
    weight: { kind: 'list', values: shard.weight, offsets },
    incl_prob: { kind: 'list', values: shard.inclProb, offsets },
    draw_prob: { kind: 'list', values: shard.drawProb, offsets },
  });
}

/** `id` names the id column: user_id or item_id. */
export function entitiesBytes(
  id: 'user_id' | 'item_id',
  entities: Entities,
  widths: { slots: number; numbers: number },
): Uint8Array {
  return arrowBytes(entities.count, {
    [id]: { kind: 'flat', values: entities.ids },
    slots: { kind: 'fixed', values: entities.slots, width: widths.slots },
    numbers: { kind: 'fixed', values: entities.numbers, width: widths.numbers },
  });
}

export function indexText(index: Omit<EncodedIndex, 'version'>): string {
  const entries = (shards: readonly ShardEntry[]) =>
    shards.map(({ maxCandidates, ...entry }) => ({ ...entry, max_candidates: maxCandidates }));
  const { a, b, ...sizes } = index;
  const json = { version: indexVersion, ...sizes, a: entries(a), b: entries(b) };
  return `${JSON.stringify(json, null, 2)}\n`;
}

// -------------------------------------------------------------------------------------------------------------- reading

export function readShard(path: string): Shard {
  const file = new ArrowFile(path, 'own');
  return {
    requests: file.rows,
    requestId: file.flat('request_id', BigInt64Array),
    user: file.flat('user', Int32Array),
    behaviours: file.flat('behaviours', Int32Array),
    slots: file.values('slots', Int32Array),
    numbers: file.values('numbers', Float32Array),
    offsets: file.offsets('items'), // all lists of a shard are of the same lengths
    items: file.values('items', Int32Array),
    label: file.values('label', Int8Array),
    stage: file.values('stage', Int8Array),
    weight: file.values('weight', Float32Array),
    inclProb: file.values('incl_prob', Float32Array),
    drawProb: file.values('draw_prob', Float32Array),
  };
}

/** Copies, so that no more of the file stays in memory: in what `memoryOf` so many bytes gives, or more. */
export function readTrainingShard(
  path: string,
  memoryOf = (bytes: number) => new ArrayBuffer(bytes),
): TrainingShard {
  const file = new ArrowFile(path, 'scratch');
  const columns = {
    requestId: file.flat('request_id', BigInt64Array), // first, as its numbers must begin at a multiple of 8 bytes
    user: file.flat('user', Int32Array),
    behaviours: file.flat('behaviours', Int32Array),
    slots: file.values('slots', Int32Array),
    numbers: file.values('numbers', Float32Array),
    offsets: file.offsets('items'),
    items: file.values('items', Int32Array),
    weight: file.values('weight', Float32Array),
    label: file.values('label', Int8Array), // last, as they end anywhere
  };
  const memory = memoryOf(Object.values(columns).reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  const copy = <T extends Flat>(values: T): T => {
    const kind = values.constructor as new (buffer: ArrayBuffer, at: number, length: number) => T; // every typed array's
    const copied = new kind(memory, at, values.length);
    copied.set(values as never); // an array of the same type
    at += values.byteLength;
    return copied;
  };
  const copies = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, copy(values)]));
  return { requests: file.rows, ...(copies as typeof columns) }; // the names just gone through
}

export function readEntities(path: string): Entities {
  const file = new ArrowFile(path, 'shared');
  const [id] = file.names;
  return {
    count: file.rows,
    ids: file.flat(id!, BigInt64Array),
    slots: file.values('slots', Int32Array),
    numbers: file.values('numbers', Float32Array),
  };
}

/** The index of a run's encoded samples; its hash was verified, so that only its version can differ from what is written here. */
export function readIndex(path: string): EncodedIndex {
  // The cast is true of every index.json of this version, and the version is checked next.
  const index = camelKeys(JSON.parse(readFileSync(path, 'utf8'))) as EncodedIndex;
  return index.version === indexVersion ? index : internal(`${path} is of version ${index.version}`);
}
