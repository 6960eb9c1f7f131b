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
  private mark = { generation: 1, records: 0 };
  private saved = this.content;
  private savedWritten = this.written;

  constructor(
    readonly path: string,
    public file = RowFile.create(path, rows, words),
  ) {}

  write(values: ReadonlyMap<number, readonly number[]>): void {
    const order = [...values.keys()].map((row) => ({ row, number: this.file.find(row) }));
    const last = (number: number) => (number < 0 ? Infinity : number);
    order.sort((a, b) => last(a.number) - last(b.number) || a.row - b.row);
    this.file.write(
      Int32Array.from(order, ({ row }) => row),
      Int32Array.from(order, ({ number }) => number),
      (i) => this.written.get(order[i]!.row) ?? 0,
      (i, into, at) => {
        into.set(values.get(order[i]!.row)!, at);
      },
    );
    for (const [row, numbers] of values) {
      this.content.set(row, numbers);
      this.written.set(row, this.file.generation);
    }
  }

  checkpoint(): void {
    this.file.sync();
    this.mark = this.file.mark;
    this.file.nextGeneration();
    this.saved = new Map(this.content);
    this.savedWritten = new Map(this.written);
  }

  /** As after a kill: what was not closed is left as it is, and the file is opened anew. */
  goOn(): void {
    this.file = RowFile.resume(this.path, rows, words, this.mark);
    this.content = new Map(this.saved);
    this.written = new Map(this.savedWritten);
  }

  expectSame(): void {
    const into = new Int32Array(words);
    for (let row = 0; row < rows; row++) {
      const number = this.file.find(row);
      expect(number >= 0).toBe(this.content.has(row));
      if (number < 0) continue;
      expect(this.file.read(row, number, into)).toBe(this.written.get(row));
      expect(Array.from(into)).toEqual(this.content.get(row));
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
    expect(undo.length).toBe(4 * (2 + 3 + words)); // row 4 was not there before
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
    twin.write(new Map([[7, [1, 2, 3]], [9, [1, 1, 1]]])); // prettier-ignore
    const { mark } = twin.file;
    twin.checkpoint();
    const bytes = readFileSync(twin.path);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(twin.path, changed);
      const read = () => [7, 9].map((row, number) => twin.file.read(row, number, new Int32Array(words)));
      expect(read, `bit ${bit}`).toThrow('is damaged');
      expect(() => RowFile.resume(twin.path, rows, words, mark), `bit ${bit}`).toThrow('is damaged');
    }
    writeFileSync(twin.path, bytes);
    twin.write(new Map([[7, [4, 5, 6]], [9, [2, 2, 2]]])); // prettier-ignore
    const journal = `${twin.path}.undo-2`;
    const undo = readFileSync(journal);
    for (let bit = 0; bit < 8 * undo.length; bit++) {
      const changed = Buffer.from(undo);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(journal, changed);
      expect(() => RowFile.resume(twin.path, rows, words, mark), `bit ${bit}`).toThrow('journal');
    }
  });

  it('takes room for the rows that are written, and four bytes for each that there is', () => {
    const path = newPath();
    const large = 1_000_000;
    const file = RowFile.create(path, large, 68);
    const written = Int32Array.of(0, 1, 500_000, large - 1);
    file.write(
      written,
      new Int32Array(4).fill(-1),
      () => 0,
      (i, into, at) => into.fill(i, at, at + 68),
    );
    expect([...file.writtenRows()]).toEqual([...written]);
    expect(statSync(path).size).toBe(4 * 4 * 71);
    expect(statSync(`${path}.index`).size).toBe(4 * large);
    file.close();
  });
});
