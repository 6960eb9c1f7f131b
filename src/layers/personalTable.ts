import { tf } from '../engine/tf.js';

/** Rows of each request's own table: [request, code, width] by [request, candidate] -> [request, candidate, width]. */
export function lookUpPersonal(table: tf.Tensor3D, codes: tf.Tensor2D): tf.Tensor3D {
  const [requests, count, width] = table.shape;
  const offsets = tf.tensor2d(
    Array.from({ length: requests }, (_, request) => request * count),
    [requests, 1],
    'int32',
  );
  const rows: tf.Tensor = tf.reshape(table, [requests * count, width]);
  return tf.gather(rows, tf.add(codes, offsets)) as tf.Tensor3D;
}
