/**
 * Arrays that loops of WebAssembly work on where they lie: side by side in one of its memories, behind some pages that are the loop's
 * own. A memory holds 4 GiB; what is larger lies in ordinary arrays, which loops copy from and to by blocks.
 */

/** What is used of WebAssembly, which neither TypeScript without a browser nor Node's types declare. */
export interface LoopMemory {
  readonly buffer: ArrayBuffer;
}

declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number }) => LoopMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

const pageBytes = 65_536;

/** At the start of every memory, for what loops copy there. */
const ownPages = 2;

/** Arrays start at multiples of this, a line of the processor's cache; as much is left free after the last. */
const alignment = 64;

const memories = new WeakMap<ArrayBufferLike, LoopMemory>();

/** A memory without arrays, if one can be had. */
export const ownMemory = (): LoopMemory | null => memoryOfPages(ownPages);

/** Arrays of these lengths, of zeros, in one memory where it can hold them. */
export function arraysForLoops(lengths: readonly number[]): Float32Array[] {
  let end = ownPages * pageBytes;
  const starts = lengths.map((length) => {
    const start = end;
    end += Math.ceil((4 * length) / alignment) * alignment;
    return start;
  });
  const memory = memoryOfPages(Math.ceil((end + alignment) / pageBytes));
  if (!memory) return lengths.map((length) => new Float32Array(length));
  memories.set(memory.buffer, memory);
  return lengths.map((length, i) => new Float32Array(memory.buffer, starts[i], length));
}

/** The memory that an array lies in, if it lies in one. */
export const memoryOf = (array: Float32Array): LoopMemory | undefined => memories.get(array.buffer);

function memoryOfPages(pages: number): LoopMemory | null {
  try {
    return new WebAssembly.Memory({ initial: pages });
  } catch (error) {
    // More than a memory holds, or than the process may reserve.
    if (error instanceof RangeError || error instanceof TypeError) return null;
    throw error;
  }
}

/** Makes what a compiled module exports, over a memory. */
export function loopModule(base64: string): (memory: LoopMemory) => object {
  const module = new WebAssembly.Module(Buffer.from(base64, 'base64'));
  return (memory) => new WebAssembly.Instance(module, { loop: { memory } }).exports;
}
