/**
 * Records of equal length for some of very many rows, in two files. In the first lie the records of the rows that were written, one
 * after the other in the order in which rows were first written; in the second, the index, each row has four bytes: the number of its
 * record, counted from 1. So the disk holds as many records as there are rows in use, side by side however scattered the rows are, and
 * memory holds none. (A sparse file with each record at its row's place takes a block of 4 KiB for each scattered row, fifteen times as
 * much, and one of 20,000 scattered rows took 65 s to delete on a disk that discards freed blocks one by one; this index takes .3 s.)
 *
 * Record, words of 32 bits: checksum of what follows, generation, row, then what the owner keeps. Generations count checkpoints from
 * 1: a record says after which it was written. The first time that a record is written over after a checkpoint, what it was is put
 * into that generation's journal first (undoJournal.ts), so that a training that was cut off goes back to its checkpoint whatever it
 * wrote since; records that it added since are left out. The index is made anew from the records, each of which is then checked.
 */
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CascadeError } from '../../errors.js';
import { readAt, writeAt } from './fileBytes.js';
import { checksum, UndoJournal } from './undoJournal.js';

/** Words of a record before what the owner keeps. */
const headWords = 3;
/** Records that are written or read in one go where they lie side by side. */
const recordsAtOnce = 256;
/** Rows of the index that are written or read in one go. */
const indexAtOnce = 2 ** 18;

/** How far a file had come at a checkpoint. */
export interface RowFileMark {
  /** The generation that follows. */
  readonly generation: number;
  readonly records: number;
}

/** No record. */
export const none = -1;

export class RowFile {
  private readonly record: Int32Array;
  private readonly several: Int32Array;
  private readonly entry = new Int32Array(1);

  private constructor(
    readonly path: string,
    private readonly file: number,
    private readonly index: number,
    private readonly rows: number,
    words: number,
    private present: number,
    private records: number,
    private journal: UndoJournal | null,
  ) {
    this.record = new Int32Array(headWords + words);
    this.several = new Int32Array(recordsAtOnce * this.record.length);
  }

  /** A new file for `rows` rows with records of `words` words, none of them written. */
  static create(path: string, rows: number, words: number): RowFile {
    for (const name of journalsOf(path)) rmSync(name);
    const file = openSync(path, 'w+');
    return new RowFile(path, file, newIndex(path, rows), rows, words, 1, 0, null); // nothing to go back to before a checkpoint
  }

  /** The file as it was at a checkpoint. */
  static resume(path: string, rows: number, words: number, { generation, records }: RowFileMark): RowFile {
    const file = openSync(path, 'r+');
    const bytes = 4 * (headWords + words);
    if (fstatSync(file).size < records * bytes) throw damaged(path, 'it was cut off');
    const own = journalOf(path, generation);
    for (const name of journalsOf(path)) if (name !== own) rmSync(name);
    const journal = new UndoJournal(own, headWords + words, false);
    for (const { number, record } of journal.entries()) writeAt(file, record, number * bytes);
    ftruncateSync(file, records * bytes);
    fdatasyncSync(file);
    journal.empty();
    const resumed = new RowFile(path, file, newIndex(path, rows), rows, words, generation, records, journal);
    resumed.indexRecords();
    return resumed;
  }

  /** The generation that records are written in. */
  get generation(): number {
    return this.present;
  }

  /** What a checkpoint must hold that is taken now. */
  get mark(): RowFileMark {
    return { generation: this.present + 1, records: this.records };
  }

  /** The number of a row's record, or `none`. */
  find(row: number): number {
    readAt(this.index, this.entry, 4 * row);
    return this.entry[0]! - 1;
  }

  /** Copies what is kept of a row, in record `number`, to `into`; returns the generation it was written in. */
  read(row: number, number: number, into: Int32Array): number {
    const { record } = this;
    this.readRecord(number);
    if (!isSound(record) || record[2] !== row) throw damaged(this.path, `record ${number} was changed`);
    into.set(record.subarray(headWords));
    return record[1]!;
  }

  /**
   * Writes rows by the numbers of their records, which ascend; those at the end may be `none` and are given new ones. `writtenIn`: the
   * generation that the i-th was written in before; `fill` puts what is to be kept of it into `into` from `at`.
   */
  write(
    rows: Int32Array,
    numbers: Int32Array,
    writtenIn: (i: number) => number,
    fill: (i: number, into: Int32Array, at: number) => void,
  ): void {
    this.note(numbers, writtenIn);
    this.number(rows, numbers);
    const { several, record } = this;
    const words = record.length;
    let first = 0;
    for (let i = 0; i < rows.length; i++) {
      const at = (i - first) * words;
      several[at + 1] = this.present;
      several[at + 2] = rows[i]!;
      fill(i, several, at + headWords);
      several[at] = checksum(several.subarray(at + 1, at + words));
      if (numbers[i + 1] !== numbers[i]! + 1 || i + 1 - first === recordsAtOnce) {
        writeAt(this.file, several, numbers[first]! * record.byteLength, at + words);
        first = i + 1;
      }
    }
  }

  /** Rows that have a record, ascending. */
  *writtenRows(): Generator<number> {
    const entries = new Int32Array(indexAtOnce);
    for (let start = 0; start < this.rows; start += indexAtOnce) {
      const count = Math.min(indexAtOnce, this.rows - start);
      readAt(this.index, entries, 4 * start, count);
      for (let i = 0; i < count; i++) if (entries[i] !== 0) yield start + i;
    }
  }

  /** Returns when everything written is on the disk; the index need not be. */
  sync(): void {
    fdatasyncSync(this.file);
  }

  /** A checkpoint was taken: from now on it is what there is to go back to. */
  nextGeneration(): void {
    const before = this.journal;
    this.present++;
    this.journal = new UndoJournal(journalOf(this.path, this.present), this.record.length, true);
    if (!before) return;
    before.close();
    rmSync(before.path);
  }

  close(): void {
    this.journal?.close();
    closeSync(this.index);
    closeSync(this.file);
  }

  /** Puts into the journal what records are that are written over for the first time since the checkpoint. */
  private note(numbers: Int32Array, writtenIn: (i: number) => number): void {
    const { journal } = this;
    if (!journal) return;
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!;
      if (number === none || writtenIn(i) === this.present) continue;
      this.readRecord(number);
      journal.append(number, this.record);
    }
    journal.sync();
  }

  /** Gives a record to each row that has none. */
  private number(rows: Int32Array, numbers: Int32Array): void {
    for (let i = 0; i < rows.length; i++) {
      if (numbers[i] !== none) continue;
      numbers[i] = this.records++;
      this.entry[0] = this.records;
      writeAt(this.index, this.entry, 4 * rows[i]!);
    }
  }

  private indexRecords(): void {
    const { several, record, entry } = this;
    for (let first = 0; first < this.records; first += recordsAtOnce) {
      const count = Math.min(recordsAtOnce, this.records - first);
      readAt(this.file, several, first * record.byteLength, count * record.length);
      for (let i = 0; i < count; i++) {
        const one = several.subarray(i * record.length, (i + 1) * record.length);
        if (!isSound(one)) throw damaged(this.path, `record ${first + i} was changed`);
        entry[0] = first + i + 1;
        writeAt(this.index, entry, 4 * one[2]!);
      }
    }
  }

  private readRecord(number: number): void {
    const { record } = this;
    if (readAt(this.file, record, number * record.byteLength) < record.byteLength)
      throw damaged(this.path, `it ends before record ${number}`);
  }
}

/** Zeros for every row, written: a file with holes would be filled in scattered places. */
function newIndex(path: string, rows: number): number {
  const file = openSync(`${path}.index`, 'w+');
  const zeros = new Int32Array(Math.min(rows, indexAtOnce));
  for (let start = 0; start < rows; start += zeros.length)
    writeAt(file, zeros, 4 * start, Math.min(zeros.length, rows - start));
  return file;
}

const isSound = (record: Int32Array) => record[0] === checksum(record.subarray(1));

const journalOf = (path: string, generation: number) => `${path}.undo-${generation}`;

const journalsOf = (path: string): string[] =>
  readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.undo-`))
    .map((name) => join(dirname(path), name));

function damaged(path: string, why: string): CascadeError {
  return new CascadeError({
    code: 'run.damaged_embeddings',
    where: path,
    what: `This file of embeddings in training is damaged: ${why}.`,
    mend: 'Run the stage again with --force: it starts anew.',
  });
}
