import * as tf from '@tensorflow/tfjs';

/** The first requests of a tensor with leading axis [request]. */
export const firstRequests =
  (count: number) =>
  <T extends tf.Tensor>(x: T): T =>
    count >= x.shape[0]
      ? x
      : tf.slice(
          x,
          x.shape.map(() => 0),
          [count, ...x.shape.slice(1)],
        );
