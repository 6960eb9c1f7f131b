import * as tf from '@tensorflow/tfjs';
import type { Optimizer } from './optimizer.js';

/**
 * Adam, and AdamW where `weightDecay` is not 0.
 *   m <- b1 m + (1 - b1) g          v <- b2 v + (1 - b2) g^2
 *   p <- p - lr wd p - lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)
 * Source: Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019 for the decoupled decay.
 *
 * Without a gradient m and v only decay, so that j steps later the step is
 *   lr_s sqrt(1 - b2^s) / (1 - b1^s) (b1 / sqrt(b2))^j * m / sqrt(v),   s = t + j
 * a number that depends on the steps alone, times a direction that depends on the row alone; epsilon is taken as it is at the first
 * of these steps, since after some ten of them little is left to move.
 */
export function adam(
  { beta1, beta2, epsilon }: { readonly beta1: number; readonly beta2: number; readonly epsilon: number },
  weightDecay: number,
): Optimizer {
  const decay = beta1 / Math.sqrt(beta2);
  return {
    slots: [
      { name: 'm', initial: 0 },
      { name: 'v', initial: 0 },
    ],
    scalars: (step, learningRate) => ({
      step_size: learningRate / (1 - beta1 ** step),
      root_scale: 1 / Math.sqrt(1 - beta2 ** step),
      kept: 1 - learningRate * weightDecay,
    }),
    update(parameter, gradient, [m, v], { step_size, root_scale, kept }) {
      const newM = tf.add(tf.mul(m!, beta1), tf.mul(gradient, 1 - beta1));
      const newV = tf.add(tf.mul(v!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const root = tf.add(tf.mul(tf.sqrt(newV), root_scale!), epsilon);
      const decayed = weightDecay === 0 ? parameter : tf.mul(parameter, kept!);
      return { parameter: tf.sub(decayed, tf.div(tf.mul(newM, step_size!), root)), slots: [newM, newV] };
    },
    updateInPlace({ parameter, slots, at }, { values, from, factor }, count, scalars) {
      const kept = weightDecay === 0 ? 1 : scalars.kept!;
      const rates = {
        beta1,
        beta2,
        epsilon,
        stepSize: scalars.step_size!,
        rootScale: scalars.root_scale!,
        kept,
      };
      walk(parameter, slots[0]!, slots[1]!, at, at + count, values, from, factor, rates);
    },
    drift: {
      over(from, to, learningRate) {
        let kept = 1;
        let moved = 0;
        let left = 1;
        for (let step = from + 1; step <= to; step++) {
          const rate = learningRate(step);
          const keep = 1 - rate * weightDecay;
          left *= decay;
          if (left < 1e-9 && weightDecay === 0) break;
          kept *= keep;
          moved = moved * keep + (rate * left * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
        }
        return { kept, moved, slotsKept: [beta1 ** (to - from), beta2 ** (to - from)] };
      },
      direction: ([m, v], element) => m![element]! / (Math.sqrt(v![element]!) + epsilon),
      recordDirection: ([m, v]) => tf.div(m!, tf.add(tf.sqrt(v!), epsilon)),
    },
  };
}

interface Rates {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly stepSize: number;
  readonly rootScale: number;
  readonly kept: number;
}

/**
 * The update of elements `at..end`, two by two: a root takes twenty cycles, and alone in the loop it often waited for the one before
 * it (V8 gives both the same register), which took twice as long. A function of its own, so that the loop is compiled for four arrays
 * and nothing else.
 */
function walk(
  parameter: Float32Array,
  m: Float32Array,
  v: Float32Array,
  at: number,
  end: number,
  gradients: Float32Array,
  from: number,
  factor: number,
  { beta1: b1, beta2: b2, epsilon, stepSize, rootScale, kept }: Rates,
): void {
  const c1 = 1 - b1;
  const c2 = 1 - b2;
  let i = at;
  let j = from;
  for (; i < end - 1; i += 2, j += 2) {
    const g0 = gradients[j]! * factor;
    const g1 = gradients[j + 1]! * factor;
    const m0 = b1 * m[i]! + c1 * g0;
    const m1 = b1 * m[i + 1]! + c1 * g1;
    const v0 = b2 * v[i]! + c2 * g0 * g0;
    const v1 = b2 * v[i + 1]! + c2 * g1 * g1;
    const root0 = Math.sqrt(v0);
    const root1 = Math.sqrt(v1);
    m[i] = m0;
    m[i + 1] = m1;
    v[i] = v0;
    v[i + 1] = v1;
    parameter[i] = kept * parameter[i]! - (stepSize * m0) / (rootScale * root0 + epsilon);
    parameter[i + 1] = kept * parameter[i + 1]! - (stepSize * m1) / (rootScale * root1 + epsilon);
  }
  if (i === end) return;
  const gradient = gradients[j]! * factor;
  const newM = b1 * m[i]! + c1 * gradient;
  const newV = b2 * v[i]! + c2 * gradient * gradient;
  m[i] = newM;
  v[i] = newV;
  parameter[i] = kept * parameter[i]! - (stepSize * newM) / (rootScale * Math.sqrt(newV) + epsilon);
}
