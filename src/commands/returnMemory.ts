/**
 * Has the C library give arrays of a megabyte and more back to the system as soon as they are freed. By itself glibc learns from the
 * first large array that is freed to keep as much for later (up to 32 MB a piece), in each thread's arena: the peak of a teacher's
 * training with 3,000 users of the quickstart is 414 MB then and 343 so, with 30,000 users 575 and 462, for one or two percent of the time.
 *
 * Has the SQL engine's own allocator, jemalloc, keep one arena. Its statements come from whichever thread of Node's pool is free, and an
 * arena for each of them keeps what a statement freed: twelve sorts written one after the other peak at 545 MB then and 379 so.
 */
const mmapThreshold = -3; // M_MMAP_THRESHOLD of malloc.h
const bytes = 2 ** 20;

/** Does nothing for glibc where there is none, or no koffi to call it by, which is optional. */
export async function returnMemory(): Promise<void> {
  process.env.DUCKDB_JE_MALLOC_CONF ??= 'narenas:1'; // read when the SQL engine is loaded, which is later
  try {
    const { default: koffi } = await import('koffi');
    koffi.load('libc.so.6').func('int mallopt(int, int)')(mmapThreshold, bytes);
  } catch {
    return;
  }
}
