import { tf } from '../engine/tf.js';

/** Added under the root, so that the gradient of a zero vector is zero and not undefined. */
const epsilon = 1e-12;

/**
 * length x / sqrt(|x|^2 + eps) over the last axis: a vector of this length, 1 where none is given; a zero vector stays zero.
 * x: [..., width]; length: [].
 *
 * With r = 1 / sqrt(|x|^2 + eps) and p = <x, dy> the gradients are dx = length r (dy - r^2 p x) and dlength = Σ r p, written out
 * because what tfjs derives goes over the tensor ten times instead of four.
 */
export function unit<T extends tf.Tensor>(x: T, length?: tf.Scalar): T {
  const withGradient = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [input, to] = args as tf.Tensor[] as [tf.Tensor, tf.Tensor?];
    const inverse = inverseLength(input);
    const scale = to ? tf.mul(inverse, to) : inverse;
    save([input, inverse, scale]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [v, r, factor] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
      const along = tf.mul(r, tf.sum(tf.mul(v, dy), -1, true));
      const dx = tf.mul(tf.sub(dy, tf.mul(v, tf.mul(r, along))), factor);
      return to ? [dx, tf.sum(along)] : dx;
    };
    return { value: tf.mul(input, scale), gradFunc };
  });
  return withGradient(...(length ? [x, length] : [x])) as T;
}

/**
 * cos(a, b) = <a, b> / (|a| |b|) over the last axis, with eps under each root: [..., width] x [..., width] -> [...]. Zero for a zero
 * vector.
 *
 * With c the cosine, r = 1 / |a| and s = 1 / |b| the gradients are da = dc (r s b - c r^2 a) and db = dc (r s a - c s^2 b), written out
 * because the vectors of length 1 are then never made.
 */
export function cosine(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const withGradient = tf.customGrad((...args) => {
    const [x, y, save] = args as unknown as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const [r, s] = [inverseLength(x), inverseLength(y)];
    const cos = tf.mul(tf.mul(tf.sum(tf.mul(x, y), -1, true), r), s);
    save([x, y, r, s, cos]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [x, y, r, s, cos] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const dc = tf.reshape(dy, cos.shape);
      const across = tf.mul(dc, tf.mul(r, s));
      const along = tf.mul(dc, cos);
      return [
        tf.sub(tf.mul(y, across), tf.mul(x, tf.mul(along, tf.square(r)))),
        tf.sub(tf.mul(x, across), tf.mul(y, tf.mul(along, tf.square(s)))),
      ];
    };
    return { value: tf.squeeze(cos, [-1]), gradFunc };
  });
  return withGradient(a, b);
}

/** 1 / sqrt(|x|^2 + eps): [..., width] -> [..., 1]. */
const inverseLength = (x: tf.Tensor): tf.Tensor => tf.rsqrt(tf.add(tf.sum(tf.square(x), -1, true), epsilon));

/** Inner product over the last axis: [..., width] x [..., width] -> [...], broadcasting. */
export const dot = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.sum(tf.mul(a, b), -1);

/** Inner products of a request's vector with those of its candidates: [request, width] x [request, candidate, width] -> [request, candidate]. */
export const dotWithEach = (one: tf.Tensor, each: tf.Tensor): tf.Tensor2D =>
  tf.squeeze(tf.matMul(each, tf.expandDims(one, 2)), [2]);
