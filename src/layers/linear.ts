import { tf } from '../engine/tf.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';

/**
 * Linear map y = x W + b over the last axis.
 * x: [..., from]; W: [from, to]; b: [to], absent when `bias` is false.
 * First values uniform in ±1/sqrt(from), weight and bias (the usual choice of PyTorch's Linear, so that runs can be compared).
 */
export function linearInitial(
  name: string,
  { from, to, bias = true }: { from: number; to: number; bias?: boolean },
  stream: RandomStream,
): Initial {
  const bound = 1 / Math.sqrt(from);
  return {
    [`${name}/weight`]: { shape: [from, to], values: stream.uniforms(from * to, bound) },
    ...(bias && { [`${name}/bias`]: { shape: [to], values: stream.uniforms(to, bound) } }),
  };
}

export function linear(parameters: Parameters, name: string, x: tf.Tensor): tf.Tensor {
  const weight = parameters[`${name}/weight`] as tf.Tensor2D;
  const bias = parameters[`${name}/bias`];
  const flat = x.rank === 2 ? x : tf.reshape(x, [-1, x.shape.at(-1)!]);
  const product = tf.matMul(flat, weight);
  const y = bias ? tf.add(product, bias) : product;
  return x.rank === 2 ? y : tf.reshape(y, [...x.shape.slice(0, -1), weight.shape[1]]);
}
