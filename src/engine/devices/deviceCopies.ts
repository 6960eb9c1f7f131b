/**
 * Arrays in a device's memory: made from numbers of the host, and read back. Between that, runs of a graph read and write them where
 * they lie (compiledGraph.ts, `There`). ONNX Runtime has it for WebGPU. An array must be disposed of by who made it, and can be read
 * only by a graph (ONNX Runtime ends the process of whoever asks such a tensor for its data), so every copy is a run of a graph that
 * does nothing else.
 */
import * as ort from 'onnxruntime-node';
import { compile, openSession } from '../compile.js';
import type { CompiledGraph, DeviceArray, DeviceArrays } from '../compiledGraph.js';
import { encodeOnnx } from '../onnx.js';
import { internal } from '../../errors.js';
import type { Device } from './device.js';

/** Whether a device's memory can hold arrays between runs. */
export const keepsArrays = ({ provider }: Device): boolean => provider === 'webgpu';

export class DeviceCopies {
  private readonly makers = new Map<string, Promise<ort.InferenceSession>>();
  private readonly readers = new Map<string, Promise<CompiledGraph>>();
  private moved = 0;

  constructor(private readonly device: Device) {}

  /** A new array with these numbers. */
  toDevice(values: Float32Array, shape: readonly number[]): Promise<DeviceArray> {
    this.moved += values.byteLength;
    return this.make(new ort.Tensor('float32', values, shape), shape);
  }

  /** A new array with the numbers of another one. */
  another(array: DeviceArray): Promise<DeviceArray> {
    return this.make(array, array.dims);
  }

  async toHost(array: DeviceArray, into: Float32Array): Promise<void> {
    const reader = await known(this.readers, array.dims, () =>
      compile('read', { x: { shape: array.dims, dtype: 'float32' } }, ({ x }) => ({ x: x! }), this.device),
    );
    this.moved += into.byteLength;
    await reader.run({}, { x: into }, { read: { x: array }, write: {} });
  }

  /** Bytes that were copied since this was asked last. */
  takeMoved(): number {
    const { moved } = this;
    this.moved = 0;
    return moved;
  }

  async release(): Promise<void> {
    for (const maker of this.makers.values()) await (await maker).release();
    for (const reader of this.readers.values()) await (await reader).release();
    this.makers.clear();
    this.readers.clear();
  }

  /** An output without an array to be written to is a new one where the session says so. */
  private async make(from: ort.Tensor, shape: readonly number[]): Promise<DeviceArray> {
    const maker = await known(this.makers, shape, () =>
      openSession(encodeOnnx(copyOf(shape)), this.device, { preferredOutputLocation: 'gpu-buffer' }),
    );
    return (await maker.run({ x: from })).y ?? internal('a copy has no output');
  }
}

export function dispose(arrays: DeviceArrays): void {
  for (const array of Object.values(arrays)) array.dispose();
}

function copyOf(shape: readonly number[]) {
  const value = (name: string) => ({ name, shape, type: 'float32' as const });
  return {
    name: 'copy',
    nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'], attributes: {} }],
    constants: [],
    inputs: [value('x')],
    outputs: [value('y')],
  };
}

function known<T>(
  all: Map<string, Promise<T>>,
  shape: readonly number[],
  make: () => Promise<T>,
): Promise<T> {
  const key = shape.join();
  let one = all.get(key);
  if (!one) {
    one = make();
    all.set(key, one);
  }
  return one;
}
