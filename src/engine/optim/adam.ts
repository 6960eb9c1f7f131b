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
      const stepSize = scalars.step_size!;
      const rootScale = scalars.root_scale!;
      const kept = weightDecay === 0 ? 1 : scalars.kept!;
      // One by one: what a list of these is taken apart by keeps V8 from compiling the loop for good.
      const m = slots[0]!;
      const v = slots[1]!;
      const b1 = beta1;
      const b2 = beta2;
      const c1 = 1 - beta1;
      const c2 = 1 - beta2;
      const e = epsilon;
      for (let i = 0; i < count; i++) {
        const gradient = values[from + i]! * factor;
        const newM = b1 * m[at + i]! + c1 * gradient;
        const newV = b2 * v[at + i]! + c2 * gradient * gradient;
        m[at + i] = newM;
        v[at + i] = newV;
        parameter[at + i] = kept * parameter[at + i]! - (stepSize * newM) / (rootScale * Math.sqrt(newV) + e);
      }
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
    },
  };
}
