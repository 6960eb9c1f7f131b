import { tf } from '../engine/tf.js';
import { expect, it } from 'vitest';
import { expectSameTraining } from '../../test/support/otherDevice.js';
import { examine } from '../engine/devices/availability.js';

const { usable, why } = await examine('tensorflow');

it.skipIf(!usable)(
  `trains on TensorFlow as on the processor${usable ? '' : ` (not run: ${why}; see scripts/install-tensorflow)`}`,
  async () => {
    await expectSameTraining({ provider: 'tensorflow', threads: 1 });
    expect(tf.getBackend()).toBe('cpu');
    expect(tf.findBackend('tensorflow').numDataIds()).toBeLessThan(50); // steps leave nothing behind
  },
);
