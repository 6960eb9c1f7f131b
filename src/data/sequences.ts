/**
 * The behaviours of every user, which grow with the log and not with the vocabulary: they stay in their file, and what a request may
 * see is read from there.
 *
 *   encoded/sequences.arrow   how many behaviours each user has
 *   encoded/behaviours.i32    all of them as item indices, user by user, oldest first: 4 bytes each, lowest first
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { internal } from '../errors.js';
import { arrowBytes, ArrowFile } from './arrow.js';

export const behavioursFile = 'behaviours.i32';

export interface Sequences {
  /** Where behaviours.i32 lies. */
  readonly path: string;
  /** Of each user, and of the end, counted in behaviours; in memory that threads share. */
  readonly starts: Float64Array; // [user + 1]
}

/** `counts`: behaviours of each user. */
export const sequencesBytes = (counts: Int32Array): Uint8Array =>
  arrowBytes(counts.length, { behaviours: { kind: 'flat', values: counts } });

/** `path`: of sequences.arrow; the behaviours lie beside it. */
export function readSequences(path: string): Sequences {
  const counts = new ArrowFile(path, 'own').flat('behaviours', Int32Array);
  const starts = new Float64Array(new SharedArrayBuffer(8 * (counts.length + 1)));
  counts.forEach((count, user) => (starts[user + 1] = starts[user]! + count));
  return { path: join(dirname(path), behavioursFile), starts };
}

/** Reads behaviours until it is closed. */
export class SequenceReader {
  private readonly file: number;
  private buffer = new Int32Array(128);

  constructor(private readonly sequences: Sequences) {
    this.file = openSync(sequences.path, 'r');
  }

  /** The latest `count` of the first `prefix` behaviours of a user, oldest first; written again by the next call. */
  latest(user: number, prefix: number, count: number): Int32Array {
    if (count > this.buffer.length) this.buffer = new Int32Array(2 * count);
    const at = 4 * (this.sequences.starts[user]! + prefix - count);
    const read = count > 0 ? readSync(this.file, this.buffer, 0, 4 * count, at) : 0;
    if (read < 4 * count) internal(`${this.sequences.path} ends at ${at + read}`);
    return this.buffer.subarray(0, count);
  }

  close(): void {
    closeSync(this.file);
  }
}
