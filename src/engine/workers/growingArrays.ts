/**
 * Arrays by name that are as long as asked for, each a part of one that was long enough so far: workers take steps of some megabytes, and
 * all would wait for one's garbage collector to let go of them.
 */
export class GrowingArrays {
  private readonly longest = new Map<string, Float32Array<ArrayBuffer>>();

  of(name: string, length: number): Float32Array<ArrayBuffer> {
    let array = this.longest.get(name);
    if (!array || array.length < length)
      this.longest.set(name, (array = new Float32Array(Math.ceil(1.25 * length))));
    return array.subarray(0, length);
  }
}
