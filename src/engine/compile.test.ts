import { tf } from './tf.js';
import { beforeAll, expect, it } from 'vitest';
import { compile } from './compile.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

it.each([1, 2])(
  'takes what is too small for all digits of float32 as zero, on %i threads',
  async (threads) => {
    const spec = { shape: [1_000_000], dtype: 'float32' } as const; // long enough for both threads
    const product = ({ x }: Readonly<Record<string, tf.Tensor>>) => ({ y: tf.mul(x!, 1e-9) });
    const graph = await compile('test', { x: spec }, product, { provider: 'cpu', threads });
    const { y } = await graph.run({ x: new Float32Array(spec.shape[0]).fill(1e-30) });
    await graph.release();
    expect(new Set(y)).toEqual(new Set([0]));
  },
);
