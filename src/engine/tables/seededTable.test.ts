import { describe, expect, it } from 'vitest';
import { RandomStream } from '../random.js';
import { SeededTable } from './seededTable.js';

const rows = 100_000_000;
const width = 16;
const { key } = RandomStream.of(1, 'initial/teacher/embeddings');
const table = new SeededTable({ rows, width, deviation: 0.1, key });

function rowsOf(from: SeededTable, ids: readonly number[]): Float32Array {
  const into = new Float32Array(ids.length * width);
  from.gather(Int32Array.from(ids), ids.length, into);
  return into;
}

describe('first values from a seed', () => {
  it('are the same in whatever order rows are asked for, and others for another key', () => {
    const row = (id: number) => rowsOf(table, [id]);
    const [a, b] = [row(99_999_999), row(0)];
    expect(rowsOf(table, [0, 99_999_999])).toEqual(Float32Array.of(...b, ...a));
    const other = new SeededTable({
      ...table.first,
      key: RandomStream.of(2, 'initial/teacher/embeddings').key,
    });
    expect(rowsOf(other, [0])).not.toEqual(b);
  });

  it('are those that the model file describes, so that another program can make them', () => {
    const [a, b] = key;
    const stream = RandomStream.from([a, b, 12345, 1]);
    for (let draw = 0; draw < 6; draw++) stream.uniform(); // two draws each
    const expected = Float32Array.from({ length: width }, () => 0.1 * stream.normal());
    expect(rowsOf(table, [12345])).toEqual(expected);
  });

  it('are normal, and neighbouring rows and columns have nothing to do with each other', () => {
    const count = 20_000;
    const values = rowsOf(
      table,
      Array.from({ length: count }, (_, i) => i),
    );
    const n = values.length;
    const mean = (of: (i: number) => number, length = n) =>
      Array.from({ length }, (_, i) => of(i)).reduce((sum, x) => sum + x, 0) / length;
    const at = (i: number) => values[i]! / 0.1;
    const bound = 5 / Math.sqrt(n); // five standard errors of a mean of unit variance
    expect(Math.abs(mean(at))).toBeLessThan(bound);
    expect(Math.abs(mean((i) => at(i) ** 2) - 1)).toBeLessThan(Math.SQRT2 * bound);
    expect(Math.abs(mean((i) => at(i) ** 4) - 3)).toBeLessThan(Math.sqrt(96) * bound);
    expect(Math.abs(mean((i) => at(i) * at(i + width), n - width))).toBeLessThan(bound);
    expect(Math.abs(mean((i) => at(i) * at(i + 1), n - 1))).toBeLessThan(bound);
    const firsts = (i: number) => at(i * width);
    expect(Math.abs(mean((i) => firsts(i) * firsts(i + 1), count - 1))).toBeLessThan(5 / Math.sqrt(count));
  });
});
