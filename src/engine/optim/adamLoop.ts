/**
 * Adam's update of numbers in host memory, and what becomes of them without gradients, as loops of WebAssembly (adam.wat) that take four
 * numbers at a time: 1 to 2 ns a number, where JavaScript, one by one and in double precision, takes 8 to 20. Arrays for loops
 * (loopMemory.ts) are changed where they lie; of others a block at a time is copied.
 */
import { loopModule, memoryOf, ownMemory, type LoopMemory } from '../loopMemory.js';
import { adamBytes } from './adamBytes.js';
import { driftPlainly, updatePlainly, type AdamGradient, type AdamRates } from './adamPlain.js';
import type { Place } from './optimizer.js';

type Loop = (...numbers: readonly number[]) => void;

const over = loopModule(adamBytes) as (memory: LoopMemory) => { readonly update: Loop; readonly drift: Loop };

/** Numbers of a block of copies, and rows of any. */
const block = 4096;
/** Numbers of a block that is changed where it lies: of their gradients alone, or of what rows have missed, there is a copy. */
const blockInPlace = 4 * block;

/** The loops over one memory, and the blocks at its start. */
class AdamLoops {
  readonly update: Loop;
  readonly drift: Loop;
  /** Copies of rows: parameter, m, v. */
  readonly copies: readonly Float32Array[];
  /** Gradients, or what each row has missed: four numbers. */
  readonly beside: Float32Array;
  /** Where the rows of a block start. */
  readonly starts: Uint32Array;

  constructor(memory: LoopMemory) {
    ({ update: this.update, drift: this.drift } = over(memory));
    const floats = (at: number) => new Float32Array(memory.buffer, at * block * 4, block);
    this.copies = [floats(0), floats(1), floats(2)];
    this.beside = new Float32Array(memory.buffer, 3 * block * 4, blockInPlace);
    this.starts = new Uint32Array(memory.buffer, (3 * block + blockInPlace) * 4, block);
  }
}

const inMemories = new WeakMap<LoopMemory, AdamLoops>();
const memoryOfCopies = ownMemory();
/** What takes arrays that lie elsewhere, by copies; null where the process may have no such memory. */
const copying = memoryOfCopies && new AdamLoops(memoryOfCopies);

/** Moves rows by gradients. */
export function updateByAdam(place: Place, gradient: AdamGradient, rates: AdamRates): void {
  if (!copying) {
    updatePlainly(place, gradient, rates);
    return;
  }
  const { values, from, factor } = gradient;
  const { beta1, beta2, epsilon, stepSize, rootScale, kept } = rates;
  const [c1, c2] = [1 - beta1, 1 - beta2];
  forBlocks(place, copying, ({ update, beside }, [p, m, v], starts, rows, width, { done }) => {
    beside.set(values.subarray(from + done, from + done + rows * width));
    const g = beside.byteOffset;
    update(p, m, v, g, starts, rows, width, beta1, c1, beta2, c2, stepSize, rootScale, epsilon, kept, factor);
  });
}

/** Moves rows as the steps do that each has missed: kept, moved, keptM and keptV of each (adam.wat). */
export function driftByAdam(place: Place, missed: Float32Array, epsilon: number): void {
  if (!copying) {
    driftPlainly(place, missed, epsilon);
    return;
  }
  forBlocks(place, copying, ({ drift, beside }, [p, m, v], starts, rows, width, { row }) => {
    beside.set(missed.subarray(4 * row, 4 * (row + rows)));
    drift(p, m, v, beside.byteOffset, starts, rows, width, epsilon);
  });
}

/** Takes rows by the addresses of parameter, m and v and of where the rows start; `before`: rows and numbers that were taken before. */
type TakeBlock = (
  loops: AdamLoops,
  addresses: readonly [number, number, number],
  starts: number,
  rows: number,
  width: number,
  before: { readonly row: number; readonly done: number },
) => void;

/** `copied`: what takes rows that lie in no loop's memory. */
function forBlocks(place: Place, copied: AdamLoops, take: TakeBlock): void {
  const { parameter, slots, starts, width } = place;
  const inPlace = loopsOver(parameter, slots);
  const numbers = inPlace ? blockInPlace : block;
  if (width > numbers) {
    forPieces(place, numbers, copied, take);
    return;
  }
  const loops = inPlace ?? copied;
  const arrays = [parameter, slots[0]!, slots[1]!];
  const [p, m, v] = (inPlace ? arrays : loops.copies).map((array) => array.byteOffset);
  const together = Math.min(block, Math.floor(numbers / width));
  for (let first = 0; first < starts.length; first += together) {
    const here = starts.subarray(first, first + together);
    if (inPlace) loops.starts.set(here);
    else for (let row = 0; row < here.length; row++) loops.starts[row] = row * width;
    if (!inPlace) copyRows(arrays, here, loops.copies, width);
    const before = { row: first, done: first * width };
    take(loops, [p!, m!, v!], loops.starts.byteOffset, here.length, width, before);
    if (!inPlace) putRows(arrays, here, loops.copies, width);
  }
}

/** Rows that are longer than a block, such as a model's vector, by pieces of its length. */
function forPieces(
  { starts, width, ...arrays }: Place,
  numbers: number,
  copied: AdamLoops,
  take: TakeBlock,
): void {
  starts.forEach((start, row) => {
    for (let done = 0; done < width; done += numbers) {
      const piece = {
        ...arrays,
        starts: Uint32Array.of(start + done),
        width: Math.min(numbers, width - done),
      };
      forBlocks(piece, copied, (loops, addresses, at, rows, length) => {
        take(loops, addresses, at, rows, length, { row, done: row * width + done });
      });
    }
  });
}

type Arrays = readonly Float32Array[];

function copyRows(arrays: Arrays, starts: Uint32Array, copies: Arrays, width: number): void {
  starts.forEach((start, row) => {
    arrays.forEach((array, i) => copies[i]!.set(array.subarray(start, start + width), row * width));
  });
}

function putRows(arrays: Arrays, starts: Uint32Array, copies: Arrays, width: number): void {
  starts.forEach((start, row) => {
    arrays.forEach((array, i) => array.set(copies[i]!.subarray(row * width, (row + 1) * width), start));
  });
}

/** The loops over the memory that all these arrays lie in, if there is one. */
function loopsOver(parameter: Float32Array, slots: Arrays): AdamLoops | undefined {
  const memory = memoryOf(parameter);
  if (!memory || slots.some(({ buffer }) => buffer !== memory.buffer)) return undefined;
  let loops = inMemories.get(memory);
  if (!loops) {
    loops = new AdamLoops(memory);
    inMemories.set(memory, loops);
  }
  return loops;
}
