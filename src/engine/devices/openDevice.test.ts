import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { CascadeError } from '../../errors.js';
import { examine, graphicsHardware, providers } from './availability.js';
import { relativeError } from './deviceCheck.js';
import { openDevice } from './openDevice.js';

const findings = await Promise.all(providers.map(examine));
const missing = findings.find(({ usable }) => !usable);

describe('opening a device', () => {
  it('takes the processor where the config says so, with all its cores for 0 threads', async () => {
    expect(await openDevice('cpu', 3)).toMatchObject({ provider: 'cpu', threads: 3 });
    expect(await openDevice('cpu', 0)).toMatchObject({ threads: availableParallelism() });
  });

  it('always finds the processor', () => {
    expect(findings.find(({ provider }) => provider === 'cpu')).toMatchObject({ usable: true });
  });

  it.skipIf(!missing)('refuses a device that is not there, says why and what helps', async () => {
    const { provider, why } = missing!;
    const error = await openDevice(provider, 1).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CascadeError);
    const [problem] = (error as CascadeError).problems;
    expect(problem).toMatchObject({ code: 'device.not_available', subject: provider });
    expect(problem!.what).toContain(why);
    expect(problem!.mend).toContain('cascade doctor');
    expect((error as CascadeError).exitCode).toBe(1);
  });

  it.skipIf(graphicsHardware() !== null)(
    'takes the processor for auto on a machine without a GPU, and says why',
    async () => {
      const { provider, why } = await openDevice('auto', 1);
      expect(provider).toBe('cpu');
      expect(why).toMatch(/^no other can be used \(cuda: .*; webgpu: there is no GPU in this machine\)$/);
    },
  );
});

describe('the error of a device', () => {
  it('is relative to the largest expected value', () => {
    expect(relativeError([1, 2, 10.5], [1, 2, 10])).toBeCloseTo(0.05);
  });

  it('is infinite where a number is missing, whatever the others are', () => {
    expect(relativeError([Number.NaN, 2], [1, 2])).toBe(Number.POSITIVE_INFINITY);
    expect(relativeError([1, Number.NaN], [1, 2])).toBe(Number.POSITIVE_INFINITY);
  });
});
