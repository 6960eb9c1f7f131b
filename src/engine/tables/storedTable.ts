/**
 * The embeddings of a finished model of which only some rows were stored (modelFile.ts), read from its file as they are needed. Memory
 * holds a cache and one id for every 512 rows; the ids of a row's neighbourhood are read from the file when it is looked for.
 */
import type { Seeding, SparseTable } from './embeddings.js';
import { copyRow } from './embeddings.js';
import { readAt } from './fileBytes.js';
import { RowCache } from './rowCache.js';
import { SeededTable } from './seededTable.js';

/** Where the stored rows lie in an open file. */
export interface StoredRows {
  readonly file: number;
  readonly count: number;
  /** Byte at which their ids begin, ascending. */
  readonly idsAt: number;
  /** Byte at which their values begin, in the order of the ids. */
  readonly valuesAt: number;
}

const idsPerBlock = 512;
const cachedBytes = 2 ** 25;
const nothingBound = new Uint8Array(0);

export class StoredTable implements SparseTable {
  readonly rows: number;
  readonly width: number;
  private readonly unstored: SeededTable;
  private readonly cache: RowCache;
  private readonly cached: Float32Array; // [place · width]
  /** The first id of each block. */
  private readonly blocks: Int32Array;
  private readonly ids = new Int32Array(idsPerBlock);
  private blockRead = -1;
  private readonly id = new Int32Array(1);
  private readonly row: Float32Array;

  constructor(
    readonly first: Seeding,
    private readonly stored: StoredRows,
  ) {
    this.rows = first.rows;
    this.width = first.width;
    this.unstored = new SeededTable(first);
    this.cache = new RowCache(cachedBytes / (4 * this.width));
    this.cached = new Float32Array(this.cache.places * this.width);
    this.row = new Float32Array(this.width);
    this.blocks = Int32Array.from({ length: Math.ceil(stored.count / idsPerBlock) }, (_, block) => {
      readAt(stored.file, this.id, stored.idsAt + 4 * block * idsPerBlock);
      return this.id[0]!;
    });
  }

  copy(): this {
    return this;
  }

  gather(ids: Int32Array, count: number, into: Float32Array): void {
    const { width, cache } = this;
    for (let i = 0; i < count; i++) {
      const id = ids[i]!;
      let place = cache.find(id);
      if (place < 0) {
        place = cache.claim(id, nothingBound);
        this.read(id);
        this.cached.set(this.row, place * width);
      }
      copyRow(this.cached, place * width, into, i * width, width);
    }
  }

  *keptRows(): Generator<Int32Array> {
    for (let block = 0; block < this.blocks.length; block++) {
      const { ids, count } = this.idsOf(block);
      yield ids.slice(0, count);
    }
  }

  /** Reads one row into `row`. */
  private read(id: number): void {
    const place = this.placeOf(id);
    if (place >= 0) {
      readAt(this.stored.file, this.row, this.stored.valuesAt + place * this.row.byteLength);
      return;
    }
    this.id[0] = id;
    this.unstored.gather(this.id, 1, this.row);
  }

  /** The place of an id among the stored ones, or -1. */
  private placeOf(id: number): number {
    const block = lastAtMost(this.blocks, this.blocks.length, id);
    if (block < 0) return -1;
    const { ids, count } = this.idsOf(block);
    const place = lastAtMost(ids, count, id);
    return ids[place] === id ? block * idsPerBlock + place : -1;
  }

  private idsOf(block: number): { readonly ids: Int32Array; readonly count: number } {
    const { ids, stored } = this;
    const start = block * idsPerBlock;
    const count = Math.min(idsPerBlock, stored.count - start);
    if (this.blockRead !== block) {
      readAt(stored.file, ids, stored.idsAt + 4 * start, count);
      this.blockRead = block;
    }
    return { ids, count };
  }
}

/** Index of the last of `count` ascending numbers that is not above a number; -1 where all are. */
function lastAtMost(ascending: Int32Array, count: number, number: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! <= number) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
