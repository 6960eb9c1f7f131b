/**
 * What records of a file were before they were written over: enough to take the file back to the last checkpoint. An entry is on the
 * disk before its record is touched. Words of 32 bits: checksum, number of the record, the record as it was.
 */
import { closeSync, existsSync, fdatasyncSync, ftruncateSync, openSync } from 'node:fs';
import { CascadeError } from '../../errors.js';
import { readAt, writeAt } from './fileBytes.js';

/** Entries that are written in one go. */
const entriesPerWrite = 256;

export class UndoJournal {
  private readonly file: number;
  private readonly buffer: Int32Array;
  private buffered = 0;
  /** Bytes in the file. */
  private length = 0;

  /** Opens the journal at `path`, empty or as it is. */
  constructor(
    readonly path: string,
    private readonly recordWords: number,
    emptied: boolean,
  ) {
    this.file = openSync(path, emptied || !existsSync(path) ? 'w+' : 'r+');
    this.buffer = new Int32Array(entriesPerWrite * this.entryWords);
  }

  private get entryWords(): number {
    return 2 + this.recordWords;
  }

  /** Adds what a record was; it is kept when `sync` returns. */
  append(number: number, record: Int32Array): void {
    const { entryWords, buffer } = this;
    const at = this.buffered * entryWords;
    buffer[at + 1] = number;
    buffer.set(record, at + 2);
    buffer[at] = entryChecksum(buffer.subarray(at + 1, at + entryWords));
    if (++this.buffered === entriesPerWrite) this.writeBuffer();
  }

  sync(): void {
    this.writeBuffer();
    fdatasyncSync(this.file);
  }

  /**
   * The records that are to be put back. The last entry may be half there: its process was stopped before it touched the record. Any
   * other fault is damage.
   */
  *entries(): Generator<{ readonly number: number; readonly record: Int32Array }> {
    const entry = new Int32Array(this.entryWords);
    for (let at = 0; ; at += entry.byteLength) {
      const bytes = readAt(this.file, entry, at);
      // A disk that lost its power may have kept the length of what was being written and not its bytes.
      if (bytes < entry.byteLength || entry[0] === 0) return;
      if (entry[0] !== entryChecksum(entry.subarray(1))) throw damaged(this.path, at / entry.byteLength);
      yield { number: entry[1]!, record: entry.subarray(2) };
    }
  }

  empty(): void {
    ftruncateSync(this.file, 0);
    fdatasyncSync(this.file);
    this.length = 0;
  }

  close(): void {
    closeSync(this.file);
  }

  private writeBuffer(): void {
    if (this.buffered === 0) return;
    const words = this.buffered * this.entryWords;
    writeAt(this.file, this.buffer, this.length, words);
    this.length += 4 * words;
    this.buffered = 0;
  }
}

/** Of words as a checksum, never 0. */
const entryChecksum = (words: Int32Array) => checksum(words) || 1;

/** 32 bits of words; a change of any one word changes it (MurmurHash3's round, A. Appleby, without its end). */
export function checksum(words: Int32Array): number {
  let hash = 0;
  for (let i = 0; i < words.length; i++) {
    hash ^= words[i]!;
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  return hash | 0;
}

function damaged(path: string, entry: number): CascadeError {
  return new CascadeError({
    code: 'run.damaged_embeddings',
    where: path,
    subject: `entry ${entry}`,
    what: 'This journal of an embedding file was changed or damaged after it was written, so that the training cannot go back to its last checkpoint.',
    mend: 'Run the stage again with --force: it starts anew.',
  });
}
