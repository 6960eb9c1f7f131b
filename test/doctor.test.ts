import { expect, it } from 'vitest';
import { cascade } from './support/cli.js';
import { program } from './support/program.js';

interface Doctor {
  readonly chosen: string;
  readonly because: string | null;
  readonly devices: readonly {
    readonly device: string;
    readonly usable: boolean;
    readonly why: string;
    readonly mend: string | null;
    readonly self_test: { readonly passed: boolean; readonly gradient_error: number } | null;
  }[];
}

it('tells of every device whether it can be used, tests those that can, and says what auto takes', async () => {
  const { code, out, err } = await program(['doctor', '--json']);
  expect([code, err]).toEqual([0, '']);
  const { chosen, because, devices } = JSON.parse(out) as Doctor;
  expect(devices.map(({ device }) => device).toSorted()).toEqual(['cpu', 'cuda', 'tensorflow', 'webgpu']);
  expect(devices[0]!.device).toBe(chosen);
  expect(because).not.toBe('');
  for (const { device, usable, why, self_test } of devices) {
    expect(why, device).not.toBe('');
    expect(self_test?.passed ?? false, device).toBe(usable);
  }
  const cpu = devices.find(({ device }) => device === 'cpu')!;
  expect(cpu.self_test!.gradient_error).toBeLessThan(1e-5);
});

it('prints a table, and ends with exit code 0 when the device works', async () => {
  const { code, out } = await cascade('doctor', '--device', 'cpu');
  expect(code).toBe(0);
  expect(out).toMatch(/^Node \d+/);
  expect(out).toMatch(/^cpu +works +\d/m);
});

const { usable } = await import('../src/engine/devices/availability.js').then(({ examine }) =>
  examine('cuda'),
);

it.skipIf(usable)(
  'ends with exit code 1 when the device does not work, and says what to install',
  async () => {
    const { code, out, err } = await cascade('doctor', '--device', 'cuda');
    expect(code).toBe(1);
    expect(out).toMatch(/^cuda +no /m);
    expect(err).toContain('error  device.self_test  cuda');
  },
);
