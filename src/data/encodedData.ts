/**
 * The encoded samples of a run, opened for training: users and items in memory (they grow with the vocabulary, not with the rows), shards
 * read one window at a time, sequences where they lie.
 */
import { join } from 'node:path';
import type { Transform } from './features.js';
import { collectAll } from '../memory.js';
import type { InputLayout } from './inputLayout.js';
import type { ItemVectors } from './itemVectors.js';
import { shardsPerWindow } from './requestOrder.js';
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

/** More than a shard's bytes, so that the next one, of as many requests, fits in its place. */
const room = 17 / 16;

/** What is read in rows of batches of its own. */
interface Part {
  readonly set: SetName;
  readonly split: Split;
}

interface OpenShard extends Part {
  readonly shard: TrainingShard;
  readonly memory: ArrayBuffer;
  /** When it was last asked for, counted in calls. */
  asked: number;
}

export class EncodedData {
  readonly transform: Transform;
  readonly layout: InputLayout;
  readonly index: EncodedIndex;
  readonly items: Entities;
  readonly users: Entities;
  readonly sequences: Sequences;
  readonly vectors: ItemVectors | null;
  private readonly open = new Map<string, OpenShard>();
  private calls = 0;
  /** Of a shard that was let go of, for the next one to be read. */
  private spare: ArrayBuffer | null = null;
  /** Bytes of shards since the last collection. */
  private forgotten = 0;

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

  /**
   * A shard. Its arrays may be read until others of its set and split are asked for, as many as a window has, or it is let go of: those
   * that are read next are written over it.
   */
  shard(entry: ShardEntry): TrainingShard {
    const asked = this.calls++;
    const known = this.open.get(entry.file);
    if (known) {
      known.asked = asked;
      return known.shard;
    }
    const part: Part = { set: entry.file.startsWith('a/') ? 'a' : 'b', split: entry.split };
    const ofPart = [...this.open].filter(([, open]) => isOf(open, part));
    if (ofPart.length >= shardsPerWindow)
      this.close(ofPart.reduce((one, other) => (other[1].asked < one[1].asked ? other : one))[0]);
    let memory = new ArrayBuffer(0);
    const memoryOf = (bytes: number) => (memory = this.memoryOf(bytes));
    const shard = readTrainingShard(join(this.opened.folder, entry.file), memoryOf);
    this.open.set(entry.file, { ...part, shard, memory, asked });
    return shard;
  }

  /** Lets go of the shards of a set's split, or of all. */
  letGo(part?: Part): void {
    for (const [file, open] of this.open) if (!part || isOf(open, part)) this.close(file);
  }

  private close(file: string): void {
    const { memory } = this.open.get(file)!;
    this.open.delete(file);
    this.forget(this.spare);
    this.spare = memory;
  }

  private memoryOf(bytes: number): ArrayBuffer {
    const { spare } = this;
    this.spare = null;
    if (spare && spare.byteLength >= bytes) return spare;
    this.forget(spare);
    return new ArrayBuffer(Math.ceil(bytes * room));
  }

  private forget(memory: ArrayBuffer | null): void {
    this.forgotten += memory?.byteLength ?? 0;
    if (this.forgotten < collectedBytes) return;
    collectAll();
    this.forgotten = 0;
  }
}

const isOf = (one: Part, { set, split }: Part) => one.set === set && one.split === split;
