/** What training meets on this machine, beside its devices. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { versions } from '../run/runIndex.js';

export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Of cascade and the engines it stands on. */
  readonly versions: Readonly<Record<string, string>>;
}

export function machine(): Machine {
  const { cascade, onnxruntime, tfjs } = versions() as Record<'cascade' | 'onnxruntime' | 'tfjs', string>; // among others
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    processor: cpus()[0]?.model ?? 'unknown processor',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    versions: { cascade, onnxruntime, tfjs },
  };
}
