/** Where graphs run. One object is made per process from the config and passed around; nothing else asks for a device. */
import { availableParallelism } from 'node:os';

export interface Device {
  /** ONNX Runtime's execution provider. */
  readonly provider: 'cpu';
  /** Processor threads of one operation; results do not depend on it. */
  readonly threads: number;
}

/** `auto` is the processor: the only provider that this version runs on. */
export function openDevice(device: 'auto' | 'cpu', threads: number): Device {
  return {
    provider: device === 'auto' ? 'cpu' : device,
    threads: threads === 0 ? availableParallelism() : threads,
  };
}
