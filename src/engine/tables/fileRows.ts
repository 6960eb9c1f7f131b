/**
 * The rows of a table in training in a file (rowFile.ts): weights, slots, step and remembered weights of a row side by side. Rows in
 * use lie in a cache of fixed size; memory does not grow with the table, and a step costs as much as its batch has rows. A row that no
 * step has touched is not in the file: it is what the `base` says, first values from the seed or an earlier model's.
 *
 * Changed rows are written all together, in the order of the file, when the cache has no place left and at checkpoints. Two widths of
 * weights a row: the present ones, and those of the best epoch so far where the row has changed since, so that the best model is kept
 * without a copy of the table.
 */
import { arraysForLoops } from '../loopMemory.js';
import { copyRow, type EmbeddingTable, type Seeding, type SparseTable } from './embeddings.js';
import { RowCache } from './rowCache.js';
import { none, RowFile, type RowFileMark } from './rowFile.js';
import type { KeptRows, RowReader, RowStore } from './rowStore.js';

export interface FileRowsOptions {
  readonly path: string;
  readonly base: SparseTable;
  /** First value of each slot. */
  readonly slotStarts: readonly number[];
  readonly cacheBytes: number;
  /** Where a checkpoint left the file; a new file without it. */
  readonly resume?: RowsMark;
}

/** What a checkpoint must know to go on from it. */
export interface RowsMark {
  readonly file: RowFileMark;
  readonly kept: { readonly present: number; readonly step: number };
}

/** Words of a record before its numbers: the step after which it holds, the mark of its remembered weights. */
const headWords = 2;

/** Bytes that a place takes beside its numbers: row, last use, step, mark, record, generation, whether it changed. */
const placeBytes = 4 + 8 + 4 + 4 + 4 + 4 + 1;

export class FileRows implements RowStore {
  readonly placesStay = false;
  readonly table: SparseTable;
  readonly values: Float32Array;
  readonly slots: readonly Float32Array[];
  readonly since: Int32Array;
  readonly kept: KeptRows;
  private readonly cache: RowCache;
  private readonly file: RowFile;
  private readonly record: Int32Array; // [place] its number in the file, or `none`
  private readonly writtenIn: Int32Array; // [place] generation of the record
  private readonly isChanged: Uint8Array; // [place]
  private readonly words: Int32Array;
  private readonly numbers: Float32Array; // the same bytes
  private readonly id = new Int32Array(1);
  private readonly row: Float32Array;

  constructor(private readonly options: FileRowsOptions) {
    const { path, base, slotStarts, cacheBytes, resume } = options;
    const { rows, width } = base;
    const arrays = 2 + slotStarts.length;
    this.words = new Int32Array(headWords + arrays * width);
    this.numbers = new Float32Array(this.words.buffer);
    this.row = new Float32Array(width);
    this.file = resume
      ? RowFile.resume(path, rows, this.words.length, resume.file)
      : RowFile.create(path, rows, this.words.length);
    this.cache = new RowCache(cacheBytes / (placeBytes + 4 * arrays * width));
    const { places } = this.cache;
    const [values, ...slots] = arraysForLoops([base, ...slotStarts].map(() => places * width));
    this.values = values!;
    this.slots = slots;
    this.since = new Int32Array(places);
    this.kept = {
      values: new Float32Array(places * width),
      mark: new Int32Array(places),
      ...(resume?.kept ?? { present: 0, step: 0 }),
    };
    this.record = new Int32Array(places);
    this.writtenIn = new Int32Array(places);
    this.isChanged = new Uint8Array(places);
    this.table = this.view((places, into, at) => {
      places.forEach((place, i) => copyRow(this.values, place * width, into, at + i * width, width));
    });
  }

  placeOf(row: number): number {
    const known = this.cache.find(row);
    if (known >= 0) return known;
    let place = this.cache.claim(row, this.isChanged);
    if (place < 0) {
      this.flush();
      place = this.cache.claim(row, this.isChanged);
    }
    this.load(row, place);
    return place;
  }

  changed(place: number): void {
    this.isChanged[place] = 1;
  }

  view(read: RowReader): SparseTable {
    return new FileView(this, this.options.base, read);
  }

  arrays(): Record<string, never> {
    return {};
  }

  /** Makes the file hold every change, for a checkpoint with this mark. */
  mark(): RowsMark {
    this.flush();
    this.file.sync();
    const { present, step } = this.kept;
    return { file: this.file.mark, kept: { present, step } };
  }

  /** The checkpoint with the mark is written: what the file was before it is not needed any more. */
  checkpointed(): void {
    this.file.nextGeneration();
  }

  /** Rows that the file holds, ascending. */
  writtenRows(): Iterable<number> {
    this.flush();
    return this.file.writtenRows();
  }

  close(): void {
    this.file.close();
  }

  private flush(): void {
    const { cache, isChanged, record } = this;
    const changed = (isNew: boolean) => (place: number) =>
      isChanged[place] === 1 && (record[place] === none) === isNew;
    const known = this.sorted(changed(false), (place) => record[place]!);
    const added = this.sorted(changed(true), (place) => cache.rowAt(place));
    const places = new Int32Array(known.length + added.length);
    if (places.length === 0) return;
    places.set(known);
    places.set(added, known.length);
    const numbers = places.map((place) => record[place]!);
    this.file.write(
      places.map((place) => cache.rowAt(place)),
      numbers,
      (i) => this.writtenIn[places[i]!]!,
      (i, into, at) => {
        this.pack(places[i]!);
        into.set(this.words, at);
      },
    );
    places.forEach((place, i) => {
      record[place] = numbers[i]!;
      this.writtenIn[place] = this.file.generation;
      isChanged[place] = 0;
    });
  }

  /** Some places in the order of a whole number below 2^31; it stands before the place in 53 bits, since there are 2^22 places at most. */
  private sorted(isWanted: (place: number) => boolean, number: (place: number) => number): Int32Array {
    const { places } = this.cache;
    let count = 0;
    for (let place = 0; place < places; place++) if (isWanted(place)) count++;
    const order = new Float64Array(count);
    for (let place = 0, i = 0; place < places; place++)
      if (isWanted(place)) order[i++] = number(place) * places + place;
    return Int32Array.from(order.sort(), (mixed) => mixed % places);
  }

  private load(row: number, place: number): void {
    const { width } = this.table;
    const record = this.file.find(row);
    this.record[place] = record;
    if (record !== none) {
      this.writtenIn[place] = this.file.read(row, record, this.words);
      this.unpack(place);
      return;
    }
    this.id[0] = row;
    this.options.base.gather(this.id, 1, this.row);
    this.values.set(this.row, place * width);
    this.slots.forEach((slot, i) => {
      slot.fill(this.options.slotStarts[i]!, place * width, (place + 1) * width);
    });
    this.since[place] = 0;
    this.kept.mark[place] = 0;
  }

  private get arraysOfRow(): Float32Array[] {
    return [this.values, ...this.slots, this.kept.values];
  }

  private pack(place: number): void {
    const { words, numbers } = this;
    const { width } = this.table;
    words[0] = this.since[place]!;
    words[1] = this.kept.mark[place]!;
    let at = headWords;
    for (const array of this.arraysOfRow) {
      for (let from = place * width; from < (place + 1) * width; from++) numbers[at++] = array[from]!;
    }
  }

  private unpack(place: number): void {
    const { words, numbers } = this;
    const { width } = this.table;
    this.since[place] = words[0]!;
    this.kept.mark[place] = words[1]!;
    let at = headWords;
    for (const array of this.arraysOfRow) {
      for (let to = place * width; to < (place + 1) * width; to++) array[to] = numbers[at++]!;
    }
  }
}

/** The rows through the store, as `read` shows them. */
class FileView implements SparseTable {
  readonly rows: number;
  readonly width: number;
  /** One at a time: it holds until the next is asked for. */
  private readonly place = new Int32Array(1);

  constructor(
    private readonly store: FileRows,
    private readonly base: SparseTable,
    private readonly read: RowReader,
  ) {
    this.rows = base.rows;
    this.width = base.width;
  }

  get first(): Seeding {
    return this.base.first;
  }

  gather(ids: Int32Array, count: number, into: Float32Array): void {
    for (let i = 0; i < count; i++) {
      this.place[0] = this.store.placeOf(ids[i]!);
      this.read(this.place, into, i * this.width);
    }
  }

  /** The rows themselves are never trained on: another training has a file of its own above them. */
  copy(): EmbeddingTable {
    return this;
  }

  keptRows(): Iterable<Int32Array> {
    return chunks(merged(flat(this.base.keptRows()), this.store.writtenRows()));
  }
}

function* flat(lists: Iterable<Int32Array>): Generator<number> {
  for (const list of lists) yield* list;
}

/** The numbers of two ascending lists, each once. */
function* merged(a: Iterable<number>, b: Iterable<number>): Generator<number> {
  const [left, right] = [a[Symbol.iterator](), b[Symbol.iterator]()];
  let [x, y] = [left.next(), right.next()];
  while (!x.done || !y.done) {
    const [low, high] = [x.done ? Infinity : x.value, y.done ? Infinity : y.value];
    yield Math.min(low, high);
    if (low <= high) x = left.next();
    if (high <= low) y = right.next();
  }
}

const chunkLength = 4096;

function* chunks(numbers: Iterable<number>): Generator<Int32Array> {
  const chunk = new Int32Array(chunkLength);
  let filled = 0;
  for (const number of numbers) {
    chunk[filled++] = number;
    if (filled === chunkLength) {
      yield chunk.slice();
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.slice(0, filled);
}
