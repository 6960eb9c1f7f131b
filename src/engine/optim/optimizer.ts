/**
 * An optimiser is one pure function from (parameter, gradient, state) to (parameter, state), written twice: recorded into the step's
 * graph, and as a loop over numbers that lie in host memory, where one walk does what a graph does in a dozen. Both are
 * applied alike to the vector of dense parameters and to the embedding rows that a batch touches; what steps without a gradient do
 * to the other rows it tells as a few numbers (`drift`), which are applied when a row is next needed (driftingRows.ts).
 */
import type { tf } from '../tf.js';

/** Named scalars that change from step to step; computed in double precision outside of the graph. */
type StepScalars = Readonly<Record<string, number>>;

/** The learning rate of a step, counted from 1. */
export type LearningRate = (step: number) => number;

/** Rows of `width` numbers, each from one of `starts` on, with the optimiser's state beside them. */
export interface Place {
  readonly parameter: Float32Array;
  readonly slots: readonly Float32Array[];
  readonly starts: Uint32Array;
  readonly width: number;
}

export interface Optimizer {
  /** Arrays of state beside each parameter, with their first value. */
  readonly slots: readonly { readonly name: string; readonly initial: number }[];
  /** The scalars of the step numbered `step` (from 1) at this learning rate. */
  scalars(step: number, learningRate: number): StepScalars;
  update(
    parameter: tf.Tensor,
    gradient: tf.Tensor,
    slots: readonly tf.Tensor[],
    scalars: Readonly<Record<string, tf.Tensor>>,
  ): { parameter: tf.Tensor; slots: tf.Tensor[] };
  /** The same on numbers, in place; gradients, which count `factor` times, follow one another from `from` on. */
  updateInPlace(
    place: Place,
    gradient: { readonly values: Float32Array; readonly from: number; readonly factor: number },
    scalars: StepScalars,
  ): void;
  /** Where steps without a gradient change anything. */
  readonly drift?: Drift;
}

/**
 * What some steps without a gradient do to a parameter p and its slots, told by numbers, [2 + slots]: kept, moved, what is kept of each
 * slot.
 *   p <- kept p - moved direction(slots)          slot_i <- slotsKept_i slot_i
 */
interface Drift {
  /** Writes the numbers of the steps from + 1 .. to into `into` from `at` on. */
  readonly over: (
    from: number,
    to: number,
    learningRate: LearningRate,
    into: Float32Array,
    at: number,
  ) => void;
  /** Moves each row as its numbers say, [row, 2 + slots]. */
  readonly inPlace: (place: Place, missed: Float32Array) => void;
  /** The direction of the movement, inside a graph. */
  readonly recordDirection: (slots: readonly tf.Tensor[]) => tf.Tensor;
}
