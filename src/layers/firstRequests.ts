import { tf } from '../engine/tf.js';

/** The first requests of a tensor with leading axis [request]; `count` may be more than there are. */
export const firstRequests =
  (count: number) =>
  <T extends tf.Tensor>(x: T): T =>
    tf.slice(
      x,
      x.shape.map(() => 0),
      [Math.min(count, x.shape[0]), ...x.shape.slice(1)],
    );
