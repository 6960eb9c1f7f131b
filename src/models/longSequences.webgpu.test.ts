/** Attention in chunks and match counts by binary search on WebGPU: the same values and gradients as on the processor. */
import { tf } from '../engine/tf.js';
import { expect, it } from 'vitest';
import { relativeError } from '../../test/support/models.js';
import { valueAndGradients } from '../engine/autodiff.js';
import { examine } from '../engine/devices/availability.js';
import { compile } from '../engine/compile.js';
import type { TracedFunction } from '../engine/compiledGraph.js';
import { RandomStream } from '../engine/random.js';
import { chunkedAttention } from '../layers/chunkedAttention.js';
import { matchCount } from './matchCount.js';

const specs = {
  queries: { shape: [2, 5, 8], dtype: 'float32' },
  keys: { shape: [2, 23, 8], dtype: 'float32' },
  shared: { shape: [2, 5, 3], dtype: 'float32' },
  sharedKeys: { shape: [2, 23, 3], dtype: 'float32' },
  values: { shape: [2, 23, 6], dtype: 'float32' },
  weights: { shape: [2], dtype: 'float32' },
  known: { shape: [2, 2, 23], dtype: 'int32' },
  counts: { shape: [2, 2, 23], dtype: 'float32' },
  wanted: { shape: [2, 5, 2], dtype: 'int32' },
} as const;

const fn: TracedFunction = (inputs) => {
  const input = (name: keyof typeof specs) => inputs[name] as tf.Tensor3D;
  const model = matchCount({ user: 0, context: 0, item: 0, shared: 0, coded: 0, fields: 2, behaviours: 23 });
  const loss = () => {
    const { vector, logSums } = chunkedAttention(
      {
        own: { queries: input('queries'), keys: input('keys'), heads: 2 },
        shared: { queries: input('shared'), keys: input('sharedKeys') },
        values: input('values'),
      },
      10,
    );
    const counted = model.score(
      { values: input('known'), counts: input('counts') },
      { values: input('wanted') },
      { weights: inputs.weights! },
    );
    return tf.add<tf.Scalar>(tf.add(tf.sum(tf.square(vector)), tf.sum(logSums)), tf.sum(counted));
  };
  const names = ['queries', 'keys', 'shared', 'sharedKeys', 'values', 'weights'] as const;
  const { value, gradients } = valueAndGradients(
    loss,
    names.map((name) => inputs[name]!),
  );
  return { value, ...Object.fromEntries(names.map((name, i) => [name, gradients[i]!])) };
};

const { usable, why } = await examine('webgpu');

it.skipIf(!usable)(`agrees with the processor${usable ? '' : ` (not run: ${why})`}`, async () => {
  const stream = RandomStream.of(1, 'devices');
  const feeds = Object.fromEntries(
    Object.entries(specs).map(([name, { shape, dtype }]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const values =
        dtype === 'float32'
          ? stream.normals(size)
          : Int32Array.from({ length: size }, (_, i) => 3 * (i % 23));
      return [name, name === 'counts' ? values.map(Math.abs) : values];
    }),
  );
  const on = async (provider: 'cpu' | 'webgpu') => {
    const graph = await compile('chunks', specs, fn, { provider, threads: 1 });
    const outputs = await graph.run(feeds);
    await graph.release();
    return outputs;
  };
  const expected = await on('cpu');
  for (const [name, found] of Object.entries(await on('webgpu'))) {
    expect(relativeError(found, expected[name]!), name).toBeLessThan(1e-5);
  }
  expect(Math.abs(expected.weights![0]!)).toBeGreaterThan(1);
});
