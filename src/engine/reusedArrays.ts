/**
 * Arrays that are written again for the next batch. New ones would be garbage after it: some hundred kilobytes outside of JavaScript, of
 * which its garbage collector sees a few bytes, so that many batches' are there before it is collected, and more the longer it goes on.
 */
export class ReusedArrays {
  private readonly arrays = new Map<string, Float32Array | Int32Array>();

  /** All of its numbers are `fill`, whatever was written before. */
  float(name: string, length: number, fill = 0): Float32Array {
    const known = this.arrays.get(name);
    const array = known instanceof Float32Array && known.length === length ? known : new Float32Array(length);
    this.arrays.set(name, array);
    return array.fill(fill);
  }

  int(name: string, length: number, fill = 0): Int32Array {
    const known = this.arrays.get(name);
    const array = known instanceof Int32Array && known.length === length ? known : new Int32Array(length);
    this.arrays.set(name, array);
    return array.fill(fill);
  }
}
