/**
 * An embedding table in host memory. A step is given the rows that its batch touches and gives them back changed, so that its cost
 * grows with the batch and not with the vocabulary.
 */
import { internal } from '../errors.js';
import type { RandomStream } from './random.js';

export class EmbeddingTable {
  private constructor(
    readonly rows: number,
    readonly width: number,
    /** [rows, width], row-major. */
    readonly values: Float32Array,
  ) {}

  /** A table with normal first values of the given standard deviation. */
  static random(rows: number, width: number, deviation: number, stream: RandomStream): EmbeddingTable {
    return new EmbeddingTable(rows, width, stream.normals(rows * width, deviation));
  }

  static filled(rows: number, width: number, value: number): EmbeddingTable {
    return new EmbeddingTable(rows, width, new Float32Array(rows * width).fill(value));
  }

  static from(rows: number, width: number, values: Float32Array): EmbeddingTable {
    if (values.length !== rows * width)
      internal(`${values.length} numbers for a table of ${rows} x ${width}`);
    return new EmbeddingTable(rows, width, values);
  }

  copy(): EmbeddingTable {
    return new EmbeddingTable(this.rows, this.width, this.values.slice());
  }

  /** Copies rows `ids[0..count)` to the start of `into`; the rest of `into` is left as it is. */
  gather(ids: Int32Array, count: number, into: Float32Array): void {
    const { width, values } = this;
    for (let i = 0; i < count; i++) {
      const from = ids[i]! * width;
      copyRow(values, from, into, i * width, width);
    }
  }

  /** Copies the first `count` rows of `rows` back to where `gather` took them. Ids are distinct. */
  scatter(ids: Int32Array, count: number, rows: Float32Array): void {
    const { width, values } = this;
    for (let i = 0; i < count; i++) {
      copyRow(rows, i * width, values, ids[i]! * width, width);
    }
  }
}

/** From this width on a block copy is faster than a loop, though it makes an object. */
const blockWidth = 24;

function copyRow(source: Float32Array, from: number, target: Float32Array, to: number, width: number): void {
  if (width >= blockWidth) target.set(source.subarray(from, from + width), to);
  else for (let j = 0; j < width; j++) target[to + j] = source[from + j]!;
}
