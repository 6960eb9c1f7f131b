import { tf } from '../tf.js';
import type { Optimizer } from './optimizer.js';

/**
 * Adagrad.
 *   s <- s + g^2          p <- p - lr * g / (sqrt(s) + eps)
 * Source: Duchi et al. 2011, diagonal form. Steps without a gradient change nothing.
 */
export function adagrad(config: {
  readonly initialAccumulator: number;
  readonly epsilon: number;
}): Optimizer {
  return {
    slots: [{ name: 'sum', initial: config.initialAccumulator }],
    scalars: (_, learningRate) => ({ learning_rate: learningRate }),
    update(parameter, gradient, [sum], { learning_rate }) {
      const newSum = tf.add(sum!, tf.square(gradient));
      const change = tf.div(tf.mul(gradient, learning_rate!), tf.add(tf.sqrt(newSum), config.epsilon));
      return { parameter: tf.sub(parameter, change), slots: [newSum] };
    },
    updateInPlace({ parameter, slots: [sum], starts, width }, { values, from, factor }, scalars) {
      const rate = scalars.learning_rate!;
      let next = from;
      for (const start of starts) {
        for (let i = start; i < start + width; i++) {
          const gradient = values[next++]! * factor;
          const newSum = sum![i]! + gradient * gradient;
          sum![i] = newSum;
          parameter[i]! -= (rate * gradient) / (Math.sqrt(newSum) + config.epsilon);
        }
      }
    },
  };
}
