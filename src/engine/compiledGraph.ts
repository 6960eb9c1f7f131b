/** What a function of tensors becomes, on whichever device: named arrays in, named arrays out. */
import type * as tf from '@tensorflow/tfjs';
import type { OnnxGraph } from './onnx.js';
import type { TensorSpec } from './trace/index.js';

/** Numbers of a tensor, row-major. Booleans are Uint8Array. */
export type TensorData = Float32Array | Int32Array | Uint8Array;

export type Specs = Readonly<Record<string, TensorSpec>>;
export type Feeds = Readonly<Record<string, TensorData>>;

export type TracedFunction = (
  tensors: Readonly<Record<string, tf.Tensor>>,
) => Readonly<Record<string, tf.Tensor>>;

export interface CompiledGraph {
  readonly graph: OnnxGraph;
  /** Runs once. Every input must be fed; outputs that are named in `into` are written there, others to new arrays. */
  run(feeds: Feeds, into?: Readonly<Record<string, TensorData>>): Promise<Record<string, TensorData>>;
  release(): Promise<void>;
}
