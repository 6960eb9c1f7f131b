/**
 * Whether a device computes what the processor computes: forward and backward of a small regression over looked-up rows, which has a
 * product, a gather, its scattered gradient and a reduction.
 */
import { tf } from '../tf.js';
import { valueAndGradients } from '../autodiff.js';
import { compile } from '../compile.js';
import type { TracedFunction } from '../compiledGraph.js';
import type { Device } from './device.js';
import { RandomStream } from '../random.js';

const inputs = {
  rows: { shape: [40, 8], dtype: 'float32' },
  weight: { shape: [8, 16], dtype: 'float32' },
  ids: { shape: [64], dtype: 'int32' },
} as const;

const regression: TracedFunction = ({ rows, weight, ids }) => {
  const loss = () => {
    const found = tf.gather(rows as tf.Tensor2D, ids as tf.Tensor1D);
    return tf.mean<tf.Scalar>(tf.square(tf.matMul(found, weight as tf.Tensor2D)));
  };
  const { value, gradients } = valueAndGradients(loss, [rows!, weight!]);
  return { value, rows: gradients[0]!, weight: gradients[1]! };
};

/** Largest error of the device against the processor, relative to the largest value of each output. */
export async function deviceError(device: Device): Promise<number> {
  const stream = RandomStream.of(1, 'device check');
  const feeds = {
    rows: stream.normals(40 * 8),
    weight: stream.normals(8 * 16),
    ids: Int32Array.from({ length: 64 }, () => stream.below(40)),
  };
  const runOn = async (where: Device) => {
    const graph = await compile('device-check', inputs, regression, where);
    try {
      return await graph.run(feeds);
    } finally {
      await graph.release();
    }
  };
  const expected = await runOn({ provider: 'cpu', threads: 1 });
  const actual = await runOn(device);
  return Math.max(...Object.keys(expected).map((name) => relativeError(actual[name]!, expected[name]!)));
}

/** Largest difference, relative to the largest expected value; NaN is the largest of all. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, difference);
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return worst === 0 ? 0 : worst / scale;
}
