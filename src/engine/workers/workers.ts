/**
 * Processes that train one model together: each takes its part of every batch, gradients are summed, and all make the same update, so
 * that their weights stay equal. How they talk is MPI's business (mpi.ts); here is what they say. Every worker makes the same calls in
 * the same order.
 */
export interface Workers {
  /** From 0; the first alone writes files. */
  readonly rank: number;
  readonly size: number;
  /** Adds up the arrays of all workers, element by element, in place. */
  sum(values: Float32Array): Promise<void>;
  /** The arrays of all workers, of any lengths, by rank. */
  gather<T extends Float32Array | Int32Array>(own: T): Promise<T[]>;
  /** Waits until all are here. */
  meet(): Promise<void>;
}

export const oneWorker: Workers = {
  rank: 0,
  size: 1,
  sum: () => Promise.resolve(),
  gather: (own) => Promise.resolve([own]),
  meet: () => Promise.resolve(),
};

/** Those of a batch's elements that this worker takes: every size-th, so that a short batch is spread evenly. */
export const partOf = <T>(all: readonly T[], { rank, size }: Workers): readonly T[] =>
  size === 1 ? all : all.filter((_, i) => i % size === rank);
