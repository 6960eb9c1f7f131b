/**
 * The encoded samples of a run, opened for training: users and items in memory (they grow with the vocabulary, not with the rows), shards
 * read one window at a time, sequences where they lie.
 */
import { join } from 'node:path';
import type { Transform } from './features.js';
import { collectAll } from '../memory.js';
import type { InputLayout } from './inputLayout.js';
import type { ItemVectors } from './itemVectors.js';
import type { Sequences } from './sequences.js';
import {
  readTrainingShard,
  type EncodedIndex,
  type Entities,
  type ShardEntry,
  type Split,
  type TrainingShard,
} from './shards.js';

export type SetName = 'a' | 'b';

/** What is read when a run's samples are opened. Plain values and shared memory: a thread that is given them needs no copy. */
export interface OpenedData {
  readonly folder: string;
  readonly transform: Transform;
  readonly layout: InputLayout;
  readonly index: EncodedIndex;
  readonly items: Entities;
  readonly users: Entities;
  readonly sequences: Sequences;
  /** What the user codes items by, where that is not what is learned. */
  readonly vectors: ItemVectors | null;
}

/** Bytes of shards that are not waited for to be collected: of their objects the garbage collector sees a few, old by then. */
const collectedBytes = 2 ** 23;

export class EncodedData {
  readonly transform: Transform;
  readonly layout: InputLayout;
  readonly index: EncodedIndex;
  readonly items: Entities;
  readonly users: Entities;
  readonly sequences: Sequences;
  readonly vectors: ItemVectors | null;
  private readonly open = new Map<string, TrainingShard>();
  /** Bytes of shards since the last collection. */
  private letGo = 0;

  constructor(readonly opened: OpenedData) {
    ({
      transform: this.transform,
      layout: this.layout,
      index: this.index,
      items: this.items,
      users: this.users,
      sequences: this.sequences,
      vectors: this.vectors,
    } = opened);
  }

  shards(set: SetName, split: Split): readonly ShardEntry[] {
    return this.index[set].filter((entry) => entry.split === split);
  }

  requests(set: SetName, split: Split): number {
    return this.shards(set, split).reduce((sum, entry) => sum + entry.requests, 0);
  }

  /** Most candidates of a request in a set, over all splits: the width of its blocks. */
  maxCandidates(set: SetName): number {
    return Math.max(0, ...this.index[set].map((entry) => entry.maxCandidates));
  }

  /** A shard, kept in memory until `keep` lets it go. */
  shard(entry: ShardEntry): TrainingShard {
    const known = this.open.get(entry.file);
    if (known) return known;
    const shard = readTrainingShard(join(this.opened.folder, entry.file));
    this.open.set(entry.file, shard);
    return shard;
  }

  /** Lets go of every shard but these. */
  keep(entries: readonly ShardEntry[]): void {
    const kept = new Set(entries.map((entry) => entry.file));
    for (const [file, shard] of this.open) {
      if (kept.has(file)) continue;
      this.open.delete(file);
      this.letGo += bytesOf(shard);
    }
    if (this.letGo < collectedBytes) return;
    collectAll();
    this.letGo = 0;
  }
}

const bytesOf = (shard: TrainingShard) =>
  Object.values(shard).reduce<number>(
    (sum, column) => sum + (typeof column === 'number' ? 0 : column.byteLength),
    0,
  );
