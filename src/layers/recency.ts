/**
 * A learned logit for how old a behaviour is: r = 10 r', r' starting at 0 (primed.ts); age 0 is the newest. Behaviours stand newest
 * first, so a position is an age. Without the 10, Adam at 1e-3 does not bring the logits where data wants them before training ends: on
 * Taobao (seed 1) exact attention then gets .837 and not .849, tangent .829 and not .854, a recency-weighted pool .785 and not .830.
 *
 * The first ages have a logit each. Older ones share: age 600 and age 601 say the same, and of 10,000 logits the last would hardly ever
 * be touched. Their groups grow with age, 32 to a doubling: 650 logits for 10,000 behaviours.
 */
import { tf } from '../engine/tf.js';
import type { Initial, Parameters } from '../engine/state.js';
import { primed } from './primed.js';

/** Ages with a logit of their own. */
const ownAges = 512;
const groupsPerDoubling = 32;

const groupOf = (age: number): number =>
  age < ownAges ? age : ownAges + Math.floor(groupsPerDoubling * Math.log2((age + 1) / (ownAges + 1)));

export function recencyInitial(behaviours: number): Initial {
  const groups = behaviours === 0 ? 0 : groupOf(behaviours - 1) + 1;
  return { recency: { shape: [groups], values: new Float32Array(groups) } };
}

/** The logits of ages 0 to `behaviours` - 1 as [1, behaviour]. */
export function recencyBias(parameters: Parameters, behaviours: number): tf.Tensor2D {
  const logits = primed(parameters, 'recency') as tf.Tensor1D;
  if (behaviours <= ownAges) return tf.reshape(logits, [1, -1]);
  const groups = tf.tensor1d(
    Array.from({ length: behaviours }, (_, age) => groupOf(age)),
    'int32',
  );
  return tf.reshape(tf.gather(logits, groups), [1, behaviours]);
}
