/** A list of whole numbers below 2^32 that is emptied and filled again: its array only grows. */
export class NumberList {
  private array = new Uint32Array(firstLength);
  private count = 0;

  push(number: number): void {
    if (this.count === this.array.length) {
      const longer = new Uint32Array(2 * this.count);
      longer.set(this.array);
      this.array = longer;
    }
    this.array[this.count++] = number;
  }

  /** The numbers, where they lie. */
  get values(): Uint32Array {
    return this.array.subarray(0, this.count);
  }

  get length(): number {
    return this.count;
  }

  clear(): void {
    this.count = 0;
  }
}

const firstLength = 16;
