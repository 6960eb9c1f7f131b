import { tf } from '../tf.js';
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
    updateInPlace({ parameter, slots: [u], starts, width }, { values, from, factor }, scalars) {
      const rate = scalars.learning_rate!;
      let next = from;
      for (const start of starts) {
        for (let i = start; i < start + width; i++) {
          let change = values[next++]! * factor;
          if (u) {
            change += momentum * u[i]!;
            u[i] = change;
          }
          parameter[i]! -= rate * change;
        }
      }
    },
    ...(momentum !== 0 && {
      drift: {
        over(from, to, learningRate, into, at) {
          let moved = 0;
          for (let step = from + 1; step <= to; step++)
            moved += learningRate(step) * momentum ** (step - from);
          into[at] = 1;
          into[at + 1] = moved;
          into[at + 2] = momentum ** (to - from);
        },
        inPlace({ parameter, slots: [u], starts, width }, missed) {
          starts.forEach((start, row) => {
            const [moved, keptU] = [missed[3 * row + 1]!, missed[3 * row + 2]!];
            for (let i = start; i < start + width; i++) {
              parameter[i]! -= moved * u![i]!;
              u![i]! *= keptU;
            }
          });
        },
        recordDirection: ([u]) => u!,
      },
    }),
  };
}
