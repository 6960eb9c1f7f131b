import * as tf from '@tensorflow/tfjs';
import type { Optimizer } from './optimizer.js';

/**
 * Stochastic gradient descent, with momentum where it is not 0.
 *   u <- momentum u + g          p <- p - lr u
 */
export function sgd({ momentum }: { readonly momentum: number }): Optimizer {
  return {
    slots: momentum === 0 ? [] : [{ name: 'u', initial: 0 }],
    scalars: (_, learningRate) => ({ learning_rate: learningRate }),
    update(parameter, gradient, [u], { learning_rate }) {
      const newU = u ? tf.add(tf.mul(u, momentum), gradient) : gradient;
      return { parameter: tf.sub(parameter, tf.mul(newU, learning_rate!)), slots: u ? [newU] : [] };
    },
    updateInPlace({ parameter, slots: [u], at }, { values, from, factor }, count, scalars) {
      const rate = scalars.learning_rate!;
      for (let i = 0; i < count; i++) {
        let change = values[from + i]! * factor;
        if (u) {
          change += momentum * u[at + i]!;
          u[at + i] = change;
        }
        parameter[at + i]! -= rate * change;
      }
    },
    ...(momentum !== 0 && {
      drift: {
        over(from, to, learningRate) {
          let moved = 0;
          for (let step = from + 1; step <= to; step++)
            moved += learningRate(step) * momentum ** (step - from);
          return { kept: 1, moved, slotsKept: [momentum ** (to - from)] };
        },
        direction: ([u], element) => u![element]!,
        recordDirection: ([u]) => u!,
      },
    }),
  };
}
