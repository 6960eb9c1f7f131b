import { tf } from '../tf.js';
import { driftByAdam, updateByAdam } from './adamLoop.js';
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
  // What a row has missed is summed up over the same steps again and again.
  const sharesOfM = perStep((step) => 1 - beta1 ** step);
  const rootsOfShares = perStep((step) => Math.sqrt(1 - beta2 ** step));
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
    updateInPlace(place, gradient, scalars) {
      const kept = weightDecay === 0 ? 1 : scalars.kept!;
      const rates = { stepSize: scalars.step_size!, rootScale: scalars.root_scale!, kept };
      updateByAdam(place, gradient, { beta1, beta2, epsilon, ...rates });
    },
    drift: {
      over(from, to, learningRate, into, at) {
        let kept = 1;
        let moved = 0;
        let left = 1;
        for (let step = from + 1; step <= to; step++) {
          const rate = learningRate(step);
          const keep = 1 - rate * weightDecay;
          left *= decay;
          if (left < 1e-9 && weightDecay === 0) break;
          kept *= keep;
          moved = moved * keep + (rate * left * rootsOfShares(step)) / sharesOfM(step);
        }
        into[at] = kept;
        into[at + 1] = moved;
        into[at + 2] = beta1 ** (to - from);
        into[at + 3] = beta2 ** (to - from);
      },
      inPlace(place, missed) {
        driftByAdam(place, missed, epsilon);
      },
      recordDirection: ([m, v]) => tf.div(m!, tf.add(tf.sqrt(v!), epsilon)),
    },
  };
}

/** A number of each step, computed once. */
function perStep(of: (step: number) => number): (step: number) => number {
  const known: number[] = [];
  return (step) => {
    for (let next = known.length; next <= step; next++) known.push(of(next));
    return known[step]!;
  };
}
