import { tf } from '../engine/tf.js';
import { beforeAll, expect, it } from 'vitest';
import { cpu } from '../../test/support/models.js';
import { selfTest } from './selfTest.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

it('finds the gradients of the processor right, all nodes on it, and counts steps', async () => {
  const result = await selfTest(cpu);
  expect(result).toMatchObject({ passed: true });
  expect(result.gradientError).toBeLessThan(1e-5);
  expect(result.gradientError).toBeGreaterThan(0); // two implementations never round alike
  expect(result.stepsPerSecond).toBeGreaterThan(0);
  expect(result.placement!.nodes).toBeGreaterThan(100);
  expect(result.placement!.onProcessor).toBe(result.placement!.nodes);
});

it('fails where the two sides compute different functions', async () => {
  const softmax = tf.getKernel('Softmax', 'cpu');
  const sigmoid = tf.getKernel('Sigmoid', 'cpu');
  tf.unregisterKernel('Softmax', 'cpu');
  tf.registerKernel({
    ...softmax,
    kernelFunc: ({ inputs, ...rest }) => sigmoid.kernelFunc({ inputs: { x: inputs.logits! }, ...rest }),
  });
  const result = await selfTest(cpu);
  tf.unregisterKernel('Softmax', 'cpu');
  tf.registerKernel(softmax);
  expect(result).toMatchObject({ passed: false });
});
