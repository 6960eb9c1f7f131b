/** Reading and writing at a place of an open file, whole. */
import { readSync, writeSync } from 'node:fs';

/** Fills `into` with what stands at `position`; returns how many bytes were there. */
export function readAt(
  file: number,
  into: Int32Array | Float32Array,
  position: number,
  length = into.length,
) {
  const bytes = 4 * length;
  let done = 0;
  while (done < bytes) {
    const read = readSync(file, into, done, bytes - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

export function writeAt(file: number, from: Int32Array, position: number, length = from.length): void {
  const bytes = 4 * length;
  let done = 0;
  while (done < bytes) done += writeSync(file, from, done, bytes - done, position + done);
}
