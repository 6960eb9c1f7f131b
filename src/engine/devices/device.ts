/** Where graphs run. One object is made per process from the config (openDevice.ts) and passed around; nothing else asks for a device. */

/** ONNX Runtime's execution provider, or TensorFlow, which runs the same functions operation by operation (eager.ts). */
export type Provider = 'cpu' | 'webgpu' | 'cuda' | 'tensorflow';

export interface Device {
  readonly provider: Provider;
  /** Processor threads of one operation; results do not depend on it. */
  readonly threads: number;
}
