/** What a function of tensors becomes, on whichever device: named arrays in, named arrays out. */
import type { tf } from './tf.js';
import type { Tensor } from 'onnxruntime-node';
import type { OnnxGraph } from './onnx.js';
import type { TensorSpec } from './trace/index.js';

/** Numbers of a tensor, row-major. Booleans are Uint8Array. */
export type TensorData = Float32Array | Int32Array | Uint8Array;

export type Specs = Readonly<Record<string, TensorSpec>>;
export type Feeds = Readonly<Record<string, TensorData>>;

/** How many numbers a tensor of this shape has. */
export const size = (shape: readonly number[]): number =>
  shape.reduce((product, length) => product * length, 1);

/** The name under which an output of a graph is given back. */
export const plainName = (output: string): string => output.replace(/^out:/, '');

export type TracedFunction = (
  tensors: Readonly<Record<string, tf.Tensor>>,
) => Readonly<Record<string, tf.Tensor>>;

/** Float numbers in a device's memory. */
export type DeviceArray = Tensor;
export type DeviceArrays = Readonly<Record<string, DeviceArray>>;

/** What a run reads and writes in the device's memory, so that it does not cross the bus (devices/deviceCopies.ts). */
export interface There {
  /** By the names of inputs, which need not be fed then. */
  readonly read: DeviceArrays;
  /**
   * By the names of outputs, which are not returned then. An output may be written over the input that it is a changed copy of by a
   * scatter, where every other node that reads this input comes before: nothing is copied, and the cost does not grow with the array.
   */
  readonly write: DeviceArrays;
}

export interface CompiledGraph {
  readonly graph: OnnxGraph;
  /** Runs once. Every input must be fed; outputs that are named in `into` are written there, others to new arrays. */
  run(
    feeds: Feeds,
    into?: Readonly<Record<string, TensorData>>,
    there?: There,
  ): Promise<Record<string, TensorData>>;
  release(): Promise<void>;
}
