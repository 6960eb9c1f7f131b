import { tf } from '../engine/tf.js';
import type { Initial, Parameters } from '../engine/state.js';

/**
 * Weights of terms that data must ask for: w = 10 w', w' starting at 0. The factor lets Adam at 1e-3 bring a weight to 1 within an
 * epoch; a start at 1 costs up to .014 AUC where the term is of no use (tangent-codes.md, sections 3 and 4).
 */
export const primedFactor = 10;

export const primedInitial = (name: string, length?: number): Initial => ({
  [name]: { shape: length === undefined ? [] : [length], values: new Float32Array(length ?? 1) },
});

export const primed = (parameters: Parameters, name: string, factor = primedFactor): tf.Tensor =>
  tf.mul(parameters[name]!, factor);
