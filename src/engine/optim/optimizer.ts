/**
 * An optimiser is one pure function from (parameter, gradient, state) to (parameter, state), recorded into the step's graph. It is
 * applied alike to the vector of dense parameters and to the embedding rows that a batch touches.
 *
 * Rows that a batch does not touch keep value and state (lazy updates): momentum does not move them, their moments do not decay,
 * and bias corrections count the steps of training, not of the row. Where all rows are touched in every step this is the dense
 * optimiser exactly.
 */
import type * as tf from '@tensorflow/tfjs';

/** Named scalars that change from step to step; computed in double precision outside of the graph. */
export type StepScalars = Readonly<Record<string, number>>;

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
}
