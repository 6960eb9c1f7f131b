/**
 * First values of a table that is too large to be drawn in one go: each row is a function of the seed and the row's number alone, so
 * that a row can be made when it is first needed, in any order, and need not be kept until a step has changed it.
 *   row r = deviation * normals of the stream whose state is (key, r)
 */
import type { Seeding, SparseTable } from './embeddings.js';
import { RandomStream } from '../random.js';

export class SeededTable implements SparseTable {
  readonly rows: number;
  readonly width: number;

  constructor(readonly first: Seeding) {
    this.rows = first.rows;
    this.width = first.width;
  }

  copy(): this {
    return this;
  }

  keptRows(): Iterable<Int32Array> {
    return [];
  }

  gather(ids: Int32Array, count: number, into: Float32Array): void {
    const { width, deviation, key } = this.first;
    for (let i = 0; i < count; i++) {
      const stream = RandomStream.at(key, ids[i]!);
      for (let j = 0; j < width; j++) into[i * width + j] = deviation * stream.normal();
    }
  }
}
