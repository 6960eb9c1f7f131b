/**
 * Processes that train one model together: each takes its part of every batch, gradients are summed, and all make the same update, so
 * that their weights stay equal. How they talk is MPI's business (mpi.ts); here is what they say. Every worker makes the same calls in
 * the same order.
 */

/** Which of them. */
export interface Place {
  /** From 0; the first alone writes files. */
  readonly rank: number;
  readonly size: number;
}

export interface Workers extends Place {
  /** Adds up the arrays of all workers, element by element, in place. */
  sum(values: Float32Array): Promise<void>;
  /** The arrays of all workers, of any lengths, by rank; they may be written again by the next call. Lengths that are known save a message. */
  gather<T extends Float32Array | Int32Array>(own: T, lengths?: Int32Array): Promise<T[]>;
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

/** Of a worker only its place: a plain value. */
export const placeOf = ({ rank, size }: Place): Place => ({ rank, size });

/** Those of a batch's elements that this worker takes: every size-th, so that a short batch is spread evenly. */
export const partOf = <T>(all: readonly T[], { rank, size }: Place): readonly T[] =>
  size === 1 ? all : all.filter((_, i) => i % size === rank);
