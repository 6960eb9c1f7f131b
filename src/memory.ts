/**
 * What a process keeps of memory that it has let go of. Most of ours lies outside of JavaScript, in arrays and in what the SQL engine
 * hands over: its garbage collector sees some bytes of each and no need to hurry, and allocators keep what was freed for later.
 */
import v8 from 'node:v8';
import vm from 'node:vm';
import type { LibraryHandle } from 'koffi';

const mmapThreshold = -3; // M_MMAP_THRESHOLD of malloc.h
const largeArray = 2 ** 17; // bytes; glibc's own at first

/** malloc_trim of glibc, once it is loaded. */
let trim: ((keep: number) => number) | null = null;
/** The same of the SQL engine's allocator, once the engine is loaded. */
let purge: (() => unknown) | null = null;
let loadLibrary: ((name: string) => LibraryHandle) | null = null;

/**
 * Has allocators and garbage collector keep little, from here on.
 *
 * glibc gives arrays of 128 kB and more back to the system as soon as they are freed. By itself it learns from the first large array
 * that is freed to keep as much for later (up to 32 MB a piece), in each thread's arena: the peak of a teacher's training with 3,000
 * users of the quickstart is 414 MB then and 343 so, with 30,000 users 575 and 462, for one or two percent of the time. That was with
 * a limit of a megabyte; batches are smaller, and the arena of the thread that makes them keeps 10 MB less with this one. Nothing of the
 * kind where there is no glibc, or no koffi to call it by, which is optional.
 *
 * The SQL engine's own allocator, jemalloc, keeps one arena. Its statements come from whichever thread of Node's pool is free, and an
 * arena for each of them keeps what a statement freed: twelve sorts written one after the other peak at 545 MB then and 379 so.
 *
 * The young generation stays as large as loading the program has made it, some 8 MB, and does not grow to 32: 40 MB less in every stage,
 * for no time. The old one is collected when it has grown by a fifth, and not by up to three times, as it does the longer a stage runs.
 */
export async function keepLittleMemory(): Promise<void> {
  process.env.DUCKDB_JE_MALLOC_CONF ??= 'narenas:1'; // read when the SQL engine is loaded, which is later
  keepYoungGeneration();
  v8.setFlagsFromString('--heap-growing-percent=20');
  try {
    const { default: library } = await import('koffi');
    loadLibrary = (name) => library.load(name);
    const glibc = loadLibrary('libc.so.6');
    glibc.func('int mallopt(int, int)')(mmapThreshold, largeArray);
    trim = glibc.func('int malloc_trim(size_t)') as (keep: number) => number; // its signature, just stated
  } catch {
    return;
  }
}

/**
 * The young generation grows no more, of this thread and all others. A thread that is started sets V8's own factor again, for all of them: it
 * must say so once more, or the main one's grows to 32 MB after all, some time after the first steps of a training.
 */
export function keepYoungGeneration(): void {
  v8.setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * From here on the SQL engine's allocator is told, too, to give back what is free. By itself it keeps that for some ten seconds, and a
 * stage that takes a minute has 30 MB of it at any time; giving everything back as soon as it is freed takes a quarter more time.
 */
export function engineIsLoaded(): void {
  if (purge || !loadLibrary) return;
  try {
    const mallctl = loadLibrary('libduckdb.so').func(
      'int duckdb_je_mallctl(const char *name, void *old, void *old_length, void *new_value, size_t new_length)',
    );
    purge = () => mallctl('arena.4096.purge', null, null, null, 0); // 4096: of all arenas
  } catch {
    loadLibrary = null; // another allocator, or an engine that does not show it
  }
}

/** Gives the system what is free between the smaller arrays of glibc's allocator and of the SQL engine's; some milliseconds. */
export function returnFreed(): void {
  trim?.(0);
  purge?.();
}

/** Collects everything and gives it back to the system, before what follows takes memory of its own: the SQL engine, above all. */
export function returnGarbage(): void {
  collectAll();
  returnFreed();
}

let took = 50; // milliseconds, until it is known
let returnedAt = 0;

/** `returnGarbage` between the epochs of a training, where it takes less than a hundredth of the time since it was last done. */
export function returnGarbageAtTimes(): void {
  const start = performance.now();
  if (start - returnedAt < 100 * took) return;
  returnGarbage();
  returnedAt = performance.now();
  took = returnedAt - start;
}

/** Collects what died young, with what it held outside of JavaScript; a millisecond. */
export const collectYoung = (): void => {
  collector()({ type: 'minor' });
};

/** Collects everything; some ten milliseconds for every 15 MB of JavaScript's own. */
export const collectAll = (): void => {
  collector()();
};

/** Half of what has V8 mark everything, with a heap of 30 MB: ten milliseconds where this takes one or two. */
const manyBytes = 2 ** 22;
let lettingGo = 0;

/**
 * Says that so many bytes of arrays are not used any more. What died young is collected whenever there are many: the garbage collector
 * by itself waits for the arrays' objects to be many, which hold a few bytes each.
 */
export function letGo(bytes: number): void {
  lettingGo += bytes;
  if (lettingGo < manyBytes) return;
  lettingGo = 0;
  collectYoung();
}

type Collect = (options?: { type: 'minor' }) => void;
let collect: Collect | null = null;

function collector(): Collect {
  if (!collect) {
    v8.setFlagsFromString('--expose-gc'); // contexts made from here on have it; this program's own has not
    collect = vm.runInNewContext('gc') as Collect;
  }
  return collect;
}
