/** Workers that are functions of this process: what they say to each other, without MPI. */
import type { Workers } from '../../src/engine/workers/workers.js';

/** As many workers as asked for, by rank; each call waits until all have made it. */
export function workersInProcess(size: number): Workers[] {
  let arrived: unknown[] = [];
  let release: ((all: unknown[]) => void)[] = [];
  const exchange = <T>(rank: number, own: T): Promise<T[]> =>
    new Promise((resolve) => {
      arrived[rank] = own;
      release.push(resolve as (all: unknown[]) => void);
      if (release.length < size) return;
      const [all, waiting] = [arrived, release];
      [arrived, release] = [[], []];
      for (const go of waiting) go(all);
    });
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    async sum(values) {
      const all = await exchange(rank, values.slice());
      values.forEach((_, i) => (values[i] = all.reduce((sum, part) => Math.fround(sum + part[i]!), 0)));
    },
    gather: (own) => exchange(rank, own.slice() as typeof own),
    async meet() {
      await exchange(rank, null);
    },
  }));
}
