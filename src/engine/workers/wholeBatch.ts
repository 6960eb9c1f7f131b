/**
 * What a loss must know of the whole of a batch that is split over workers. The loss of a batch is a sum of sums, each divided by a
 * number of the whole batch: how many candidates it has, or what they weigh. Once a worker has these numbers, its loss and gradients
 * are its parts of the whole batch's, and parts are simply added. So a step takes two graphs: one for the worker's shares of the
 * numbers, which are then added up, and one that reads the sums. With one worker the second is all there is, and computes them itself.
 */
import { tf } from '../tf.js';
import { internal } from '../../errors.js';

interface Split {
  readonly workers: number;
  /** What stands for the sum over workers of a scalar. */
  readonly sum: (share: tf.Tensor) => tf.Tensor;
}

/** How the batch of the loss that is being recorded is split. Recording is synchronous, so one variable will do. */
let split: Split | null = null;

/** The sum over all workers of a scalar that takes no gradient, such as a number of candidates. */
export const overWorkers = <T extends tf.Tensor>(share: T): T => (split ? (split.sum(share) as T) : share); // a scalar for a scalar

/** How many of the first `count` requests of the whole batch this worker has. */
export function ofThisWorker(count: number): number {
  const workers = split?.workers ?? 1;
  return count % workers === 0 ? count / workers : internal(`${count} requests for ${workers} workers`);
}

/** Name of the i-th sum over workers among a graph's inputs, and of the worker's share of it among the outputs of the other. */
const sumName = (i: number) => `sum:${i}`;

/** Records this worker's shares of the numbers of the whole batch, in the order in which `loss` asks for them. */
export function recordShares(workers: number, loss: () => unknown): Record<string, tf.Tensor> {
  const shares: Record<string, tf.Tensor> = {};
  const sum = (share: tf.Tensor) => {
    shares[sumName(Object.keys(shares).length)] = tf.reshape(share, [1]);
    return share;
  };
  splitBy({ workers, sum }, loss);
  return shares;
}

/** Records `loss` with the numbers of the whole batch as they are fed to the graph. */
export function withSums<T>(workers: number, fed: Readonly<Record<string, tf.Tensor>>, loss: () => T): T {
  let asked = 0;
  const sum = () => {
    const name = sumName(asked++);
    return tf.reshape(fed[name] ?? internal(`no input ${name}`), []);
  };
  return splitBy({ workers, sum }, loss);
}

function splitBy<T>(by: Split, loss: () => T): T {
  split = by;
  try {
    return loss();
  } finally {
    split = null;
  }
}
