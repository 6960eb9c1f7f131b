/**
 * Batches of fixed shape from encoded samples: [requests, candidates] with masks, behaviours newest first, distinct items and distinct
 * embedding rows listed once with everything else pointing to them (layers/inputs.ts names the arrays).
 *
 * This runs once per step in JavaScript, and the engine mostly waits for it: no objects per candidate, no maps.
 */
import type { TensorData } from '../engine/compile.js';
import { Distinct } from '../engine/distinct.js';
import { ReusedArrays } from '../engine/reusedArrays.js';
import type { FeedBatch } from '../engine/gradients.js';
import { internal } from '../errors.js';
import type { EncodedData, SetName } from './encodedData.js';
import type { FeatureGroup } from './inputLayout.js';
import type { RequestRef } from './requestOrder.js';
import { SequenceReader } from './sequences.js';
import type { ShardEntry } from './shards.js';

/** A block of a batch: requests of one set in a fixed shape. */
export interface BlockShape {
  readonly set: SetName;
  readonly requests: number;
  readonly candidates: number;
}

/** The requests that fill a block; fewer than its height leave the rest masked. */
export interface Block {
  readonly shape: BlockShape;
  /** What `refs` count their shards in. */
  readonly entries: readonly ShardEntry[];
  readonly refs: readonly RequestRef[];
  /** The teacher's opinion of a shard's candidates; only where a loss asks for it. */
  readonly teacher?: (entry: ShardEntry) => TeacherScores;
}

/** Set C of one shard: aligned with its candidates. One without a score has rank 0 and NaN for a logit. */
export interface TeacherScores {
  readonly logit: Float32Array;
  /** 1 = best of its request. */
  readonly rank: Int32Array;
}

/** What models ask for beside features, sequence and labels. */
export interface BatchNeeds {
  /** Value counts of the sequence and value ids of the candidates (models/matchCount.ts). */
  readonly matchCounts: boolean;
  /** The vectors that items are coded by, where the user gave some. */
  readonly itemVectors?: boolean;
}

/** How long the lists of distinct items and of distinct embedding rows are made. */
export interface ListHeights {
  readonly items: number;
  readonly rows: number;
}

export const shortestLists: ListHeights = { items: 0, rows: 0 };

/** How long a batch lasts: as long as anybody holds it, or until the next one is made, which is written over it. */
export type Lasting = 'own' | 'until the next';

/** Pads value lists of a sequence: above every value, so that the lists ascend to their end. */
const noValue = 2 ** 31 - 1;
/** Value id of a candidate whose value is out of vocabulary: equal to nothing. */
const unknownValue = -2;

export class BatchAssembler {
  private readonly items = new Distinct();
  private readonly rows = new Distinct();
  private readonly reused: ReusedArrays | null;

  /** `heights`: what lists are padded to where they are shorter; those of the latest batch. */
  constructor(
    private readonly data: EncodedData,
    private readonly needs: BatchNeeds,
    public heights = shortestLists,
    lasting: Lasting = 'own',
  ) {
    this.reused = lasting === 'own' ? null : new ReusedArrays();
  }

  assemble(blocks: readonly Block[]): FeedBatch {
    const arrays = new NamedArrays(this.reused ?? new ReusedArrays());
    this.fillBlocks(blocks, arrays);
    const items = this.fillItems(arrays);
    const rowCount = this.rows.count;
    const rowIds = arrays.list('rows', paddedLength(rowCount, this.heights.rows));
    this.heights = { items, rows: rowIds.length };
    rowIds.set(this.rows.list());
    this.items.clear();
    this.rows.clear();
    return { rowIds, rowCount, tensors: arrays.tensors };
  }

  /** A batch of items alone: slots and numbers of these items in their order, which must be distinct. */
  assembleItems(items: readonly number[]): FeedBatch {
    for (const item of items) this.items.place(item);
    return this.assemble([]);
  }

  private fillBlocks(blocks: readonly Block[], arrays: NamedArrays): void {
    if (blocks.length === 0) return;
    const sequences = new SequenceReader(this.data.sequences);
    try {
      for (const block of blocks) this.fillBlock(block, sequences, arrays);
    } finally {
      sequences.close();
    }
  }

  private fillBlock(
    { shape, entries, refs, teacher }: Block,
    sequences: SequenceReader,
    arrays: NamedArrays,
  ): void {
    const { data } = this;
    const { set, requests, candidates } = shape;
    const pairs = [requests, candidates];
    const candidate = arrays.int(`${set}/candidates`, pairs);
    const mask = arrays.float(`${set}/candidate_mask`, pairs);
    const label = arrays.float(`${set}/label`, pairs);
    const weight = arrays.float(`${set}/weight`, pairs);
    const teacherLogit = teacher && arrays.float(`${set}/teacher`, pairs);
    const teacherRank = teacher && arrays.float(`${set}/teacher_rank`, pairs);
    const teacherMask = teacher && arrays.float(`${set}/teacher_mask`, pairs);
    const sequence = this.sequenceArrays(shape, arrays);
    const user = new GroupArrays(data.layout.user, `${set}/user_`, requests, arrays);
    const context = new GroupArrays(data.layout.context, `${set}/context_`, requests, arrays);
    const { slots, numbers } = data.transform;

    refs.forEach(({ shard: at, row }, r) => {
      const entry = entries[at]!;
      const shard = data.shard(entry);
      const from = shard.offsets[row]!;
      const count = shard.offsets[row + 1]! - from;
      if (count > candidates) {
        internal(`a request of ${entry.file} has ${count} candidates, its block room for ${candidates}`);
      }
      const scores = teacher?.(entry);
      for (let c = 0; c < count; c++) {
        const to = r * candidates + c;
        candidate[to] = this.items.place(shard.items[from + c]!);
        mask[to] = 1;
        label[to] = shard.label[from + c]!;
        weight[to] = shard.weight[from + c]!;
        if (!scores || scores.rank[from + c] === 0) continue;
        teacherLogit![to] = scores.logit[from + c]!;
        teacherRank![to] = scores.rank[from + c]!;
        teacherMask![to] = 1;
      }
      const userIndex = shard.user[row]!;
      const prefix = shard.behaviours[row]!;
      const length = Math.min(prefix, data.layout.behaviours);
      this.fillSequence(sequence, r, sequences.latest(userIndex, prefix, length));
      const usersAt = userIndex * slots.users;
      const requestAt = row * slots.requests;
      for (const group of [user, context]) {
        group.writeSlots(r, this.rows, data.users.slots, usersAt, shard.slots, requestAt);
        group.writeNumbers(
          r,
          data.users.numbers,
          userIndex * numbers.users,
          shard.numbers,
          row * numbers.requests,
        );
      }
    });
  }

  private sequenceArrays({ set, requests }: BlockShape, arrays: NamedArrays) {
    const { behaviours, shared } = this.data.layout;
    const match = this.needs.matchCounts
      ? {
          values: arrays.int(`${set}/match_values`, [requests, shared.length, behaviours], noValue),
          counts: arrays.float(`${set}/match_counts`, [requests, shared.length, behaviours]),
        }
      : null;
    return {
      items: arrays.int(`${set}/behaviours`, [requests, behaviours]),
      mask: arrays.float(`${set}/behaviour_mask`, [requests, behaviours]),
      match,
    };
  }

  /** Behaviours, which come oldest first, newest first. */
  private fillSequence(
    arrays: ReturnType<BatchAssembler['sequenceArrays']>,
    request: number,
    behaviours: Int32Array,
  ): void {
    const { length } = behaviours;
    const from = request * this.data.layout.behaviours;
    for (let age = 0; age < length; age++) {
      arrays.items[from + age] = this.items.place(behaviours[length - 1 - age]!);
      arrays.mask[from + age] = 1;
    }
    if (arrays.match) this.fillMatches(arrays.match, request, behaviours);
  }

  /** Per field the distinct known values of the behaviours, ascending, with their counts. */
  private fillMatches(
    match: { values: Int32Array; counts: Float32Array },
    request: number,
    behaviours: Int32Array,
  ): void {
    const { behaviours: longest, sharedFields } = this.data.layout;
    const found = new Int32Array(behaviours.length);
    sharedFields.forEach((_, field) => {
      let known = 0;
      for (const item of behaviours) {
        const value = this.matchValue(item, field);
        if (value !== unknownValue) found[known++] = value;
      }
      const sorted = found.subarray(0, known).sort();
      let to = (request * sharedFields.length + field) * longest - 1;
      for (let i = 0; i < known; i++) {
        if (i === 0 || sorted[i] !== sorted[i - 1]) match.values[++to] = sorted[i]!;
        match.counts[to]! += 1;
      }
    });
  }

  /** The embedding row of an item's value of a shared field stands for the value; unknown values match nothing. */
  private matchValue(item: number, field: number): number {
    const { slot, firstKnownRow } = this.data.layout.sharedFields[field]!;
    const row = this.data.items.slots[item * this.data.transform.slots.items + slot]!;
    return row >= firstKnownRow ? row : unknownValue;
  }

  /** Returns the height that the list is padded to. */
  private fillItems(arrays: NamedArrays): number {
    const { data } = this;
    const { slots, numbers } = data.transform;
    const list = this.items.list();
    const height = paddedLength(list.length, this.heights.items);
    const group = new GroupArrays(data.layout.item, 'items/', height, arrays);
    list.forEach((item, i) => {
      group.writeSlots(i, this.rows, data.items.slots, item * slots.items, data.items.slots, 0);
      group.writeNumbers(i, data.items.numbers, item * numbers.items, data.items.numbers, 0);
    });
    if (this.needs.itemVectors && data.vectors) {
      const { width, values } = data.vectors;
      const vectors = arrays.float('items/vectors', [height, width]);
      list.forEach((item, i) => {
        vectors.set(values.subarray(item * width, (item + 1) * width), i * width);
      });
    }
    if (!this.needs.matchCounts) return height;
    const fields = data.layout.sharedFields.length;
    const values = arrays.int('items/match_values', [height, fields], unknownValue);
    list.forEach((item, i) => {
      for (let field = 0; field < fields; field++) values[i * fields + field] = this.matchValue(item, field);
    });
    return height;
  }
}

/** Lists of other batches are longer than the first by some percent: with this room one graph serves most trainings. */
const room = 1.1;

/** What a list is padded to, given what the one before was: graphs have fixed shapes, and each takes some .1 s to compile. */
const paddedLength = (length: number, before: number): number =>
  length <= before ? before : Math.max(64, Math.ceil((length * room) / 64) * 64);

/** The arrays of a feature group, and how they are filled from up to two sources. */
class GroupArrays {
  private readonly slots: Int32Array | null;
  private readonly mask: Float32Array | null;
  private readonly numbers: Float32Array | null;
  /** Per slot its offset in its source, and whether that is the request itself. */
  private readonly slotOffsets: Int32Array;
  private readonly slotOfRequest: Uint8Array;

  constructor(
    private readonly group: FeatureGroup,
    prefix: string,
    height: number,
    arrays: NamedArrays,
  ) {
    const width = group.slotPlaces.length;
    const multiValued = group.slots.some((slots) => slots > 1);
    this.slots = width > 0 ? arrays.int(`${prefix}slots`, [height, width]) : null;
    this.mask = multiValued ? arrays.float(`${prefix}slot_mask`, [height, width]) : null;
    this.numbers = group.numbers > 0 ? arrays.float(`${prefix}numbers`, [height, group.numbers]) : null;
    this.slotOffsets = Int32Array.from(group.slotPlaces, ({ offset }) => offset);
    this.slotOfRequest = Uint8Array.from(group.slotPlaces, ({ source }) => (source === 'requests' ? 1 : 0));
  }

  writeSlots(
    at: number,
    rows: Distinct,
    entity: Int32Array,
    entityAt: number,
    request: Int32Array,
    requestAt: number,
  ): void {
    const { slots, mask, slotOffsets, slotOfRequest } = this;
    if (!slots) return;
    const width = slotOffsets.length;
    for (let i = 0; i < width; i++) {
      const offset = slotOffsets[i]!;
      const row = slotOfRequest[i] ? request[requestAt + offset]! : entity[entityAt + offset]!;
      if (row < 0) continue; // an unused slot: masked
      slots[at * width + i] = rows.place(row);
      if (mask) mask[at * width + i] = 1;
    }
  }

  writeNumbers(
    at: number,
    entity: Float32Array,
    entityAt: number,
    request: Float32Array,
    requestAt: number,
  ): void {
    const { numbers } = this;
    if (!numbers) return;
    this.group.numberPlaces.forEach(({ source, offset }, i) => {
      numbers[at * this.group.numbers + i] =
        source === 'requests' ? request[requestAt + offset]! : entity[entityAt + offset]!;
    });
  }
}

/** Arrays of a batch by name, as they are made. */
class NamedArrays {
  readonly tensors: Record<string, FeedBatch['tensors'][string]> = {};

  constructor(private readonly arrays: ReusedArrays) {}

  int(name: string, shape: readonly number[], fill = 0): Int32Array {
    return this.add(name, shape, 'int32', this.arrays.int(name, length(shape)).fill(fill));
  }

  float(name: string, shape: readonly number[]): Float32Array {
    return this.add(name, shape, 'float32', this.arrays.float(name, length(shape)).fill(0));
  }

  /** Whole numbers that are no tensor. */
  list(name: string, length: number): Int32Array {
    return this.arrays.int(name, length).fill(0);
  }

  private add<T extends TensorData>(
    name: string,
    shape: readonly number[],
    dtype: 'int32' | 'float32',
    data: T,
  ): T {
    this.tensors[name] = { spec: { shape, dtype }, data };
    return data;
  }
}

const length = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
