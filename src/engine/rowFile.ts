/**
 * Records of equal length in a sparse file: the record of a row at its number times the length, so that nothing is kept in memory but
 * one bit for 64 rows, and rows that were never written take no room on the disk (but for the rest of their blocks).
 *
 * Record, words of 32 bits: checksum of row and record, generation, then what the owner keeps. Generations count checkpoints from 1: a
 * record says after which it was written. The first time that a record is written after a checkpoint, what it was is put into that
 * generation's journal first (undoJournal.ts), so that a training that was cut off goes back to its checkpoint whatever it wrote since.
 */
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CascadeError } from '../errors.js';
import { readAt, writeAt } from './fileBytes.js';
import { checksum, UndoJournal } from './undoJournal.js';

/** Words of a record before what the owner keeps. */
const headWords = 2;
/** Rows whose writing is noted by one bit. */
const rowsPerBlock = 64;
/** Records that are written in one go where they lie side by side. */
const recordsPerWrite = 256;
/** From this length on a file that takes all its room at once is refused. */
const largeBytes = 2 ** 24;

export class RowFile {
  /** A bit for each block of rows that was written to. */
  readonly blocks: Int32Array;
  private readonly record: Int32Array;
  private readonly writing: Int32Array;

  private constructor(
    readonly path: string,
    private readonly file: number,
    readonly rows: number,
    words: number,
    private present: number,
    private journal: UndoJournal | null,
  ) {
    this.record = new Int32Array(headWords + words);
    this.writing = new Int32Array(recordsPerWrite * this.record.length);
    this.blocks = new Int32Array(Math.ceil(rows / rowsPerBlock / 32));
  }

  /** A new file of `rows` records of `words` words each, none of them written. */
  static create(path: string, rows: number, words: number): RowFile {
    for (const name of journalsOf(path)) rmSync(name);
    const bytes = lengthOf(rows, words);
    const file = openSync(path, 'w+');
    try {
      ftruncateSync(file, bytes);
    } catch (cause) {
      closeSync(file);
      rmSync(path);
      throw (cause as NodeJS.ErrnoException).code === 'EFBIG' ? notSparse(path, bytes, cause) : cause;
    }
    if (bytes >= largeBytes && 512 * fstatSync(file).blocks > bytes / 2) {
      closeSync(file);
      rmSync(path);
      throw notSparse(path, bytes);
    }
    return new RowFile(path, file, rows, words, 1, null); // before the first checkpoint there is nothing to go back to
  }

  /** The file as it was at the checkpoint that `generation` follows. */
  static resume(path: string, rows: number, words: number, generation: number): RowFile {
    const file = openSync(path, 'r+');
    if (fstatSync(file).size !== lengthOf(rows, words)) throw damaged(path, 'its length is not what it was');
    const [journalPath, ...others] = [
      journalOf(path, generation),
      ...journalsOf(path).filter((name) => name !== journalOf(path, generation)),
    ];
    for (const name of others) rmSync(name);
    const journal = new UndoJournal(journalPath, headWords + words, false);
    for (const { row, record } of journal.entries()) writeAt(file, record, row * 4 * record.length);
    fdatasyncSync(file);
    journal.empty();
    return new RowFile(path, file, rows, words, generation, journal);
  }

  /** The generation that records are written in. */
  get generation(): number {
    return this.present;
  }

  /** Copies what is kept of a row to `into` and returns the generation it was written in; 0 = it never was. */
  read(row: number, into: Int32Array): number {
    const { record } = this;
    this.readRecord(row);
    if (isHole(record)) return 0;
    if (record[0] !== checksum(row, record.subarray(1))) throw damaged(this.path, `row ${row} was changed`);
    into.set(record.subarray(headWords));
    return record[1]!;
  }

  /**
   * Writes rows, which ascend; `fill` puts what is to be kept of the i-th into `into` from `at`. `writtenIn`: the generation it was
   * written in before.
   */
  write(
    rows: Int32Array,
    writtenIn: (i: number) => number,
    fill: (i: number, into: Int32Array, at: number) => void,
  ): void {
    if (this.journal) this.note(rows, writtenIn, this.journal);
    const { writing, record } = this;
    const words = record.length;
    let first = 0;
    for (let i = 0; i < rows.length; i++) {
      const at = (i - first) * words;
      const row = rows[i]!;
      writing[at + 1] = this.present;
      fill(i, writing, at + headWords);
      writing[at] = checksum(row, writing.subarray(at + 1, at + words));
      const block = Math.floor(row / rowsPerBlock);
      this.blocks[block >> 5]! |= 1 << (block & 31);
      if (rows[i + 1] !== row + 1 || i + 1 - first === recordsPerWrite) {
        writeAt(this.file, writing, rows[first]! * 4 * words, at + words);
        first = i + 1;
      }
    }
  }

  /** Rows that were written, ascending, block by block. */
  *writtenRows(): Generator<number> {
    const words = this.record.length;
    const block = new Int32Array(rowsPerBlock * words);
    for (let b = 0; b * rowsPerBlock < this.rows; b++) {
      if (!(this.blocks[b >> 5]! & (1 << (b & 31)))) continue;
      const first = b * rowsPerBlock;
      const count = Math.min(rowsPerBlock, this.rows - first);
      readAt(this.file, block, first * 4 * words, count * words);
      for (let i = 0; i < count; i++) {
        if (!isHole(block.subarray(i * words, (i + 1) * words))) yield first + i;
      }
    }
  }

  /** Returns when everything written is on the disk. */
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
    closeSync(this.file);
  }

  private note(rows: Int32Array, writtenIn: (i: number) => number, journal: UndoJournal): void {
    for (let i = 0; i < rows.length; i++) {
      const generation = writtenIn(i);
      if (generation === this.present) continue;
      if (generation === 0) this.record.fill(0);
      else this.readRecord(rows[i]!);
      journal.append(rows[i]!, this.record);
    }
    journal.sync();
  }

  private readRecord(row: number): void {
    const { record } = this;
    if (readAt(this.file, record, row * record.byteLength) < record.byteLength)
      throw damaged(this.path, `it ends before row ${row}`);
  }
}

const lengthOf = (rows: number, words: number) => rows * 4 * (headWords + words);

/** Whether a record was never written: generations count from 1. */
const isHole = (record: Int32Array) => record[0] === 0 && record[1] === 0;

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

function notSparse(path: string, bytes: number, cause?: unknown): CascadeError {
  const gigabytes = (bytes / 1e9).toFixed(1);
  return new CascadeError(
    {
      code: 'disk.not_sparse',
      where: path,
      what: `An embedding file of ${gigabytes} GB was asked for, of which only the rows in use take room; this file system would take all of it.`,
      mend: 'Give a run folder on ext4, xfs, btrfs, APFS or NTFS with --run, or set training.embeddings.kind to memory.',
    },
    { cause },
  );
}
