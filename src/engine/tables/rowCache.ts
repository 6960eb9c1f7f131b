/**
 * Which rows of a larger table lie in memory, and where. A row may lie in the few places of one set, which its number decides, so that
 * it is found by looking at a few neighbouring numbers; the place of a set that was used longest ago is given to a new row.
 */

/** Places of a set. */
const ways = 8;

const nothing = -1;

export class RowCache {
  readonly places: number;
  private readonly rows: Int32Array; // [place] the row that lies there
  private readonly usedAt: Float64Array; // [place]
  private readonly shift: number;
  private uses = 0;

  /** `most`: places at most; there are a power of two of them, from 16 to 4 million. */
  constructor(most: number) {
    const setBits = Math.min(19, Math.max(1, Math.floor(Math.log2(most / ways))));
    this.places = ways * 2 ** setBits;
    this.shift = 32 - setBits;
    this.rows = new Int32Array(this.places).fill(nothing);
    this.usedAt = new Float64Array(this.places);
  }

  /** The place of a row, or -1. */
  find(row: number): number {
    const { rows } = this;
    const first = this.setOf(row);
    for (let place = first; place < first + ways; place++) {
      if (rows[place] === row) {
        this.usedAt[place] = ++this.uses;
        return place;
      }
    }
    return -1;
  }

  /** A place for a row that is not there, taken from the row there; not one of the `bound` places, and -1 where all of the set are. */
  claim(row: number, bound: Uint8Array): number {
    const first = this.setOf(row);
    let oldest = -1;
    for (let place = first; place < first + ways; place++) {
      if (bound[place]) continue;
      if (oldest < 0 || this.usedAt[place]! < this.usedAt[oldest]!) oldest = place;
    }
    if (oldest < 0) return -1;
    this.rows[oldest] = row;
    this.usedAt[oldest] = ++this.uses;
    return oldest;
  }

  /** The row at a place that was claimed. */
  rowAt(place: number): number {
    return this.rows[place]!;
  }

  private setOf(row: number): number {
    return ways * (Math.imul(row, 0x9e3779b1) >>> this.shift);
  }
}
