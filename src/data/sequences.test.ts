import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { behavioursFile, readSequences, SequenceReader, sequencesBytes } from './sequences.js';

describe('sequences', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cascade-sequences-'));
  const long = Int32Array.from({ length: 300 }, (_, i) => 1000 + i);
  writeFileSync(join(folder, 'sequences.arrow'), sequencesBytes(Int32Array.of(0, 3, 0, 300)));
  writeFileSync(join(folder, behavioursFile), Int32Array.of(7, 8, 9, ...long));
  const sequences = readSequences(join(folder, 'sequences.arrow'));

  it('say where those of each user begin', () => {
    expect(sequences.starts).toEqual(Float64Array.of(0, 0, 3, 3, 303));
  });

  it('are read from the end of a prefix, oldest first', () => {
    const reader = new SequenceReader(sequences);
    const latest = (...asked: [number, number, number]) => [...reader.latest(...asked)];
    expect(latest(1, 3, 3)).toEqual([7, 8, 9]);
    expect(latest(1, 2, 1)).toEqual([8]);
    expect(latest(0, 0, 0)).toEqual([]);
    expect(latest(3, 300, 300)).toEqual([...long]);
    expect(latest(3, 5, 4)).toEqual([1001, 1002, 1003, 1004]);
    expect(() => reader.latest(3, 301, 1)).toThrow(/behaviours\.i32 ends at 1212/);
    reader.close();
  });
});
