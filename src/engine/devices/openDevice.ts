/** The device that a config asks for: checked before anything is trained on it, and chosen where the config says `auto`. */
import { availableParallelism } from 'node:os';
import type { Config } from '../../config/config.js';
import { CascadeError } from '../../errors.js';
import { examine, graphicsHardware, type Finding } from './availability.js';
import type { Device, Provider } from './device.js';

/** A device, and why it is this one: a phrase. */
export interface ChosenDevice extends Device {
  readonly why: string;
}

/**
 * Opens the device of a config; `threads` 0 = all cores. A device that was named and cannot be had is an error. `auto` is the first of
 * CUDA and WebGPU that computes right, else the processor.
 */
export async function openDevice(name: Config['device'], threads: number): Promise<ChosenDevice> {
  const cores = threads === 0 ? availableParallelism() : threads;
  if (name === 'cpu') return { provider: name, threads: cores, why: 'the config says so' };
  if (name !== 'auto') {
    const finding = await known(name);
    if (!finding.usable) throw unavailable(finding);
    return { provider: name, threads: cores, why: `the config says so: ${finding.why}` };
  }
  const refused: string[] = [];
  for (const provider of ['cuda', 'webgpu'] as const) {
    const finding = provider === 'webgpu' ? await hardwareWebgpu() : await known(provider);
    if (finding.usable) return { provider, threads: cores, why: finding.why };
    refused.push(`${provider}: ${finding.why}`);
  }
  return { provider: 'cpu', threads: cores, why: `no other can be used (${refused.join('; ')})` };
}

/** WebGPU as `auto` takes it: never an adapter that is a program, since the processor itself is faster. */
async function hardwareWebgpu(): Promise<Finding> {
  const provider = 'webgpu';
  if (!graphicsHardware()) return { provider, usable: false, why: 'there is no GPU in this machine' };
  // A GPU whose driver offers no Vulkan must not bring in a software adapter. The Vulkan loader reads this when it is first used.
  process.env.VK_LOADER_DRIVERS_DISABLE ??= '*lvp*,*lavapipe*,*swiftshader*';
  return known(provider);
}

const findings = new Map<Provider, Promise<Finding>>();

/** Each device is examined once a process: stages open it one after another. */
function known(provider: Provider): Promise<Finding> {
  let finding = findings.get(provider);
  if (!finding) {
    finding = examine(provider);
    findings.set(provider, finding);
  }
  return finding;
}

function unavailable({ provider, why, mend }: Finding): CascadeError {
  return new CascadeError({
    code: 'device.not_available',
    subject: provider,
    what: `This machine cannot train on ${provider}: ${why}.`,
    mend: `${mend ? `${mend}\n` : ''}\`device: auto\` takes what there is; \`cascade doctor\` tells what that is.`,
  });
}
