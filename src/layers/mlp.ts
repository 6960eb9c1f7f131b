import { tf } from '../engine/tf.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import { linear, linearInitial } from './linear.js';

/**
 * Multi-layer perceptron over the last axis: ReLU inside, linear at the end.
 * x: [..., widths[0]] -> [..., widths.at(-1)].
 */
export function mlpInitial(name: string, widths: readonly number[], stream: RandomStream): Initial {
  const layers = widths
    .slice(1)
    .map((to, i) => linearInitial(`${name}/${i}`, { from: widths[i]!, to }, stream));
  return Object.assign({}, ...layers) as Initial;
}

export function mlp(parameters: Parameters, name: string, layers: number, x: tf.Tensor): tf.Tensor {
  let y = x;
  for (let i = 0; i < layers; i++) {
    y = linear(parameters, `${name}/${i}`, y);
    if (i < layers - 1) y = tf.relu(y);
  }
  return y;
}
