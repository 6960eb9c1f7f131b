import { expect, it } from 'vitest';
import { expectSameTraining } from '../../test/support/otherDevice.js';
import { examine } from '../engine/devices/availability.js';

const { usable, why } = await examine('webgpu');

it.skipIf(!usable)(
  `trains on WebGPU as on the processor${usable ? '' : ` (not run: ${why}; Debian's chromium brings a software adapter)`}`,
  async () => {
    await expectSameTraining({ provider: 'webgpu', threads: 1 });
    expect.hasAssertions();
  },
);
