import { expect, it, vi } from 'vitest';
import { expectSameTraining } from '../../test/support/otherDevice.js';
import { examine } from '../engine/devices/availability.js';
import { DeviceTables } from '../engine/devices/deviceTables.js';

const { usable, why } = await examine('webgpu');

it.skipIf(!usable)(
  `trains on WebGPU as on the processor, with its tables there, also when it is cut off and goes on${usable ? '' : ` (not run: ${why}; Debian's chromium brings a software adapter)`}`,
  async () => {
    const accepted = vi.spyOn(DeviceTables.prototype, 'accept');
    await expectSameTraining({ provider: 'webgpu', threads: 1 }, { cutOffAt: 11 });
    const steps = accepted.mock.calls.map(([, step]) => step);
    const goesOnAt = steps[11]!;
    expect(goesOnAt).toBeGreaterThan(1); // from a checkpoint, whichever was the last before the cut
    expect(steps).toEqual([...range(1, 11), ...range(goesOnAt, 27)]);
  },
);

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
