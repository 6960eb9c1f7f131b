/**
 * Arrays by name that are written again for the next batch or step. New ones would be garbage after it: some hundred kilobytes outside of
 * JavaScript, of which its garbage collector sees a few bytes, so that many batches' are there before it is collected, and more the longer
 * it goes on. What they hold is what was written before.
 */
export class ReusedArrays {
  private readonly arrays = new Map<string, Float32Array | Int32Array>();

  float(name: string, length: number): Float32Array {
    const known = this.arrays.get(name);
    if (known instanceof Float32Array && known.length === length) return known;
    const array = new Float32Array(length);
    this.arrays.set(name, array);
    return array;
  }

  int(name: string, length: number): Int32Array {
    const known = this.arrays.get(name);
    if (known instanceof Int32Array && known.length === length) return known;
    const array = new Int32Array(length);
    this.arrays.set(name, array);
    return array;
  }

  /** Gives an array a name, in place of the one that had it. */
  put(name: string, array: Float32Array | Int32Array): void {
    this.arrays.set(name, array);
  }
}
