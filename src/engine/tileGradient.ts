/**
 * The gradient of a tile: the sum over its copies. tfjs's own cuts the copies out one by one and adds them up, which is a slice and
 * an addition for every request where a vector is spread over the requests of a batch.
 */
import * as tf from '@tensorflow/tfjs';

tf.registerGradient({
  kernelName: 'Tile',
  inputsToSave: ['x'],
  gradFunc(dy, saved, attrs) {
    const { shape } = saved[0]!;
    const { reps } = attrs as unknown as { reps: number[] };
    // [a b] tiled [m n] lies in memory as [m a n b]: sum over the axes of the copies.
    const apart = shape.flatMap((size, i) => [reps[i]!, size]);
    const copies = shape.map((_, i) => 2 * i);
    return { x: () => tf.sum(tf.reshape(dy as tf.Tensor, apart), copies) };
  },
});
