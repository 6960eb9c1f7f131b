/**
 * What is known about a device of this machine: whether it can be used, and what a small training on it showed. Engines are loaded
 * here only, when a device is examined.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { camelKeys } from '../config/config.js';
import type { Provider } from '../engine/devices/device.js';
import { machine } from './machine.js';

export const deviceNames = ['auto', 'cpu', 'cuda', 'webgpu', 'tensorflow'] as const;
export type DeviceName = (typeof deviceNames)[number];

export interface Report {
  readonly device: string;
  readonly usable: boolean;
  readonly why: string;
  /** Why `auto` takes it; null for a device that was named. */
  readonly chosenBecause: string | null;
  /** What to install or change. */
  readonly mend: string | null;
  readonly selfTest: {
    readonly passed: boolean;
    /** Largest error of a gradient, relative to the largest gradient. */
    readonly gradientError: number;
    readonly stepsPerSecond: number;
    /** Between host memory and the device's. */
    readonly bytesPerStep: number;
    readonly placement: { readonly nodes: number; readonly onProcessor: number } | null;
  } | null;
}

/** Examines and tests a device in this process; `auto` becomes the device that it takes. */
export async function examineHere(name: DeviceName): Promise<Report> {
  const [{ openDevice }, { examine }, { selfTest }] = await Promise.all([
    import('../engine/devices/openDevice.js'),
    import('../engine/devices/availability.js'),
    import('../train/selfTest.js'),
  ]);
  const chosen = name === 'auto' ? await openDevice('auto', 0) : null;
  const { provider, usable, why, mend = null } = await examine(chosen?.provider ?? (name as Provider)); // not `auto` here
  const device = { provider, threads: machine().cores };
  return {
    device: provider,
    usable,
    why,
    chosenBecause: chosen?.why ?? null,
    mend,
    selfTest: usable ? await selfTest(device) : null,
  };
}

/** The same in another process, since a broken driver may end it: how it ended is then the reason. */
export async function examineApart(name: DeviceName): Promise<Report> {
  const program = fileURLToPath(new URL('../../bin/cascade.js', import.meta.url));
  const child = spawn(process.execPath, [program, 'doctor', '--device', name, '--json'], {
    timeout: 180_000,
  });
  const printed = { out: '', err: '' };
  child.stdout.on('data', (text: Buffer) => (printed.out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (printed.err += text.toString()));
  const end = await new Promise<string>((resolve) => {
    child.on('close', (code, signal) => {
      resolve(signal ?? `exit code ${code ?? 0}`);
    });
  });
  return reportIn(printed.out) ?? died(name, end, printed.err);
}

function reportIn(json: string): Report | null {
  try {
    // This program wrote it.
    const { devices } = camelKeys(JSON.parse(json) as unknown) as { devices: readonly [Report] };
    return devices[0];
  } catch {
    return null;
  }
}

function died(device: string, end: string, said: string): Report {
  const last = said.trim().split('\n').at(-1) ?? '';
  const why = `its test ended with ${end}${last === '' ? '' : `: ${last}`}`;
  return { device, usable: false, why, chosenBecause: null, mend: null, selfTest: null };
}
