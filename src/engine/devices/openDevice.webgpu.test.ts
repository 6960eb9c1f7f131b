import { expect, it } from 'vitest';
import { examine, graphicsHardware } from './availability.js';
import { openDevice } from './openDevice.js';

const { usable, why } = await examine('webgpu');
const skipped = !usable || graphicsHardware() !== null;

it.skipIf(skipped)(
  `takes an adapter that is a program when it is named, never for auto${skipped ? ` (not run: ${why})` : ''}`,
  async () => {
    expect(await openDevice('webgpu', 1)).toMatchObject({ provider: 'webgpu' });
    expect((await openDevice('webgpu', 1)).why).toContain('in software');
    expect(await openDevice('auto', 1)).toMatchObject({ provider: 'cpu' });
  },
);
