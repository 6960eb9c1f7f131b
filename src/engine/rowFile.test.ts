import { appendFileSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RowFile } from './rowFile.js';

const rows = 200;
const words = 3;
const newPath = () => join(mkdtempSync(join(tmpdir(), 'cascade-rows-')), 'test.rows');

/** What a file should hold, kept the plain way, with the generation of each row as its owner would know it. */
class Twin {
  content = new Map<number, readonly number[]>();
  private written = new Map<number, number>();
  private saved = this.content;
  private savedWritten = this.written;
  private savedBlocks = new Int32Array(0);

  constructor(
    readonly path: string,
    public file = RowFile.create(path, rows, words),
  ) {}

  write(values: ReadonlyMap<number, readonly number[]>): void {
    const ascending = Int32Array.from(values.keys()).sort();
    this.file.write(
      ascending,
      (i) => this.written.get(ascending[i]!) ?? 0,
      (i, into, at) => {
        into.set(values.get(ascending[i]!)!, at);
      },
    );
    for (const [row, numbers] of values) {
      this.content.set(row, numbers);
      this.written.set(row, this.file.generation);
    }
  }

  checkpoint(): void {
    this.file.sync();
    this.file.nextGeneration();
    this.saved = new Map(this.content);
    this.savedWritten = new Map(this.written);
    this.savedBlocks = this.file.blocks.slice();
  }

  /** As after a kill: what was not closed is left as it is, and the file is opened anew. */
  goOn(): void {
    const { generation } = this.file;
    this.file = RowFile.resume(this.path, rows, words, generation);
    this.file.blocks.set(this.savedBlocks); // in the checkpoint
    this.content = new Map(this.saved);
    this.written = new Map(this.savedWritten);
  }

  expectSame(): void {
    const into = new Int32Array(words);
    for (let row = 0; row < rows; row++) {
      const expected = this.content.get(row);
      const generation = this.file.read(row, into);
      expect(generation > 0 ? Array.from(into) : undefined).toEqual(expected);
      expect(generation).toBe(this.written.get(row) ?? 0);
    }
    const inFile = [...this.content.keys()].toSorted((a, b) => a - b);
    expect([...this.file.writtenRows()]).toEqual(inFile);
  }
}

const number = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const writes = fc.array(
  fc.tuple(fc.nat({ max: rows - 1 }), fc.array(number, { minLength: words, maxLength: words })),
  { minLength: 1, maxLength: 40 },
);
const command = fc.oneof(
  { weight: 5, arbitrary: writes.map((list) => ({ kind: 'write', list }) as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'checkpoint' } as const) },
  { weight: 2, arbitrary: fc.nat({ max: 27 }).map((torn) => ({ kind: 'kill', torn }) as const) },
);

describe('a file of rows', () => {
  it('holds what was written, and after a kill what it held at the checkpoint', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 25 }), (commands) => {
        const twin = new Twin(newPath());
        twin.checkpoint(); // before the first there is nothing to go on from
        for (const one of commands) {
          if (one.kind === 'write') twin.write(new Map(one.list));
          else if (one.kind === 'checkpoint') twin.checkpoint();
          else {
            // A part of an entry, as when the process is stopped while it writes the journal.
            appendFileSync(`${twin.path}.undo-${twin.file.generation}`, new Uint8Array(one.torn).fill(7));
            twin.goOn();
          }
        }
        twin.expectSame();
        twin.file.close();
      }),
      { numRuns: 40 },
    );
  });

  it('goes back as often as it is killed while it goes back', () => {
    const twin = new Twin(newPath());
    twin.write(new Map([[3, [1, 2, 3]]]));
    twin.checkpoint();
    twin.write(new Map([[3, [4, 5, 6]], [4, [7, 8, 9]]])); // prettier-ignore
    const journal = `${twin.path}.undo-2`;
    const undo = readFileSync(journal);
    expect(undo.length).toBe(2 * 4 * (2 + 2 + words));
    twin.goOn();
    expect(statSync(journal).size).toBe(0);
    writeFileSync(journal, undo); // as if it had not yet been emptied
    twin.goOn();
    twin.expectSame();
    twin.file.close();
  });

  it('takes no journal of an earlier life for its own', () => {
    const path = newPath();
    const first = new Twin(path);
    first.checkpoint();
    first.write(new Map([[1, [1, 1, 1]]]));
    const second = new Twin(path);
    expect(existsSync(`${path}.undo-2`)).toBe(false);
    second.write(new Map([[1, [5, 5, 5]]]));
    second.checkpoint();
    second.goOn();
    second.expectSame();
  });

  it('notices a flipped bit anywhere in a record or in a journal entry', () => {
    const twin = new Twin(newPath());
    twin.write(new Map([[7, [1, 2, 3]]]));
    twin.checkpoint();
    const bytes = readFileSync(twin.path);
    const record = 4 * (2 + words);
    for (let bit = 0; bit < 8 * record; bit++) {
      const changed = Buffer.from(bytes);
      changed[7 * record + (bit >> 3)]! ^= 1 << (bit & 7);
      writeFileSync(twin.path, changed);
      expect(() => twin.file.read(7, new Int32Array(words)), `bit ${bit}`).toThrow('is damaged');
    }
    writeFileSync(twin.path, bytes);
    twin.write(new Map([[7, [4, 5, 6]], [9, [1, 1, 1]]])); // prettier-ignore
    const journal = `${twin.path}.undo-2`;
    const undo = readFileSync(journal);
    for (let bit = 0; bit < 8 * undo.length; bit++) {
      const changed = Buffer.from(undo);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(journal, changed);
      expect(() => RowFile.resume(twin.path, rows, words, 2), `bit ${bit}`).toThrow('journal');
    }
  });

  it('takes room for the rows that are written, not for all', () => {
    const path = newPath();
    const large = 10_000_000;
    const file = RowFile.create(path, large, 68);
    const written = Int32Array.of(0, 1, 5_000_000, large - 1);
    file.write(
      written,
      () => 0,
      (i, into, at) => into.fill(i, at, at + 68),
    );
    expect([...file.writtenRows()]).toEqual([...written]);
    const { size, blocks } = statSync(path);
    expect(size).toBe(large * 4 * 70);
    expect(blocks * 512).toBeLessThan(200_000);
    expect(file.blocks.byteLength).toBeLessThan(20_000);
    file.close();
  });
});
