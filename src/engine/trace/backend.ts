/**
 * A tfjs backend whose kernels record instead of compute. Running model code over it, `tf.grad` included, turns a whole training
 * step into one graph (engine.md). Values have shapes and types but no numbers: reading one is a mistake in the model's code.
 *
 * One graph is recorded at a time: recording is synchronous and tfjs's current backend is global.
 */
import { tf } from '../tf.js';
import { internal } from '../../errors.js';
import type { Attribute, OnnxGraph } from '../onnx.js';
import { TracedGraph } from './graph.js';

export type DType = 'float32' | 'int32' | 'bool';

export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

const backendName = 'trace';

let current: TracedGraph | null = null;

/** The graph that is being recorded. */
export const graph = (): TracedGraph => current ?? internal('no graph is being recorded');

/** Value names by tfjs's data handle. */
let values = new WeakMap<object, string>();

/** The name of a tensor's value in the graph. */
export function valueOf(tensor: tf.TensorInfo): string {
  return values.get(tensor.dataId) ?? internal('a tensor from outside of the traced function is used in it');
}

/** A tensor handle for a recorded value. */
export function tensorInfo(value: string, shape: readonly number[], dtype: tf.DataType): tf.TensorInfo {
  const dataId = {};
  values.set(dataId, value);
  return { dataId, shape: [...shape], dtype };
}

/** Records an operation and returns its output's handle. */
export function record(
  op: string,
  inputs: readonly string[],
  shape: readonly number[],
  dtype: tf.DataType,
  attributes: Readonly<Record<string, Attribute>> = {},
): tf.TensorInfo {
  return tensorInfo(graph().emit(op, inputs, attributes), shape, dtype);
}

class TraceBackend extends tf.KernelBackend {
  override write(data: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, data, shape, dtype);
    return dataId;
  }
  override move(dataId: tf.DataId, data: tf.BackendValues, shape: number[], dtype: tf.DataType): void {
    const numbers = data as ArrayLike<number>;
    const type = traceType(dtype);
    values.set(
      dataId,
      isUniform(numbers) ? graph().filled(shape, numbers[0]!, type) : graph().constant(numbers, shape, type),
    );
  }
  override readSync(): tf.BackendValues {
    return internal('a traced value has no numbers to read');
  }
  override read(): Promise<tf.BackendValues> {
    return internal('a traced value has no numbers to read');
  }
  override numDataIds(): number {
    return 0;
  }
  override disposeData(): boolean {
    return true;
  }
  override incRef(): void {
    // Handles are plain objects: nothing is counted.
  }
  override refCount(): number {
    return 1;
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }
  override floatPrecision(): 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
}

/** Whether one number fills the whole array, as in `tf.ones`, which every gradient of a sum makes. */
function isUniform(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false;
  return values.length > 1;
}

tf.registerBackend(backendName, () => new TraceBackend());

export function traceType(dtype: tf.DataType): DType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  return internal(`tensors of type ${dtype} cannot be traced`);
}

/** Registers a recording kernel. `attrs` is what tfjs passes; each kernel names the shape it expects. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- it types the callback at every call
export function kernel<Attrs = undefined>(
  kernelName: string,
  recordIt: (inputs: tf.NamedTensorInfoMap, attrs: Attrs) => tf.TensorInfo | tf.TensorInfo[],
): void {
  registeredKernels.push(kernelName);
  tf.registerKernel({
    kernelName,
    backendName,
    // tfjs types attributes as an open map; the kernel's own name decides their shape.
    kernelFunc: ({ inputs, attrs }) => recordIt(inputs, attrs as Attrs),
  });
}

/** The operands of a kernel that takes any number of them, in order. */
export const operands = (inputs: tf.NamedTensorInfoMap): tf.TensorInfo[] =>
  Object.values(inputs).filter((tensor) => tensor !== undefined);

/** Names of all recording kernels: the test suite checks that each has a case. */
export const registeredKernels: string[] = [];

/** Records `run` over named inputs and returns the graph of its named outputs. */
export function trace(
  name: string,
  inputs: Readonly<Record<string, TensorSpec>>,
  run: (tensors: Readonly<Record<string, tf.Tensor>>) => Readonly<Record<string, tf.Tensor>>,
): OnnxGraph {
  if (current) internal('a graph is already being recorded');
  const previous = tf.getBackend();
  const recording = new TracedGraph(name);
  current = recording;
  values = new WeakMap();
  // Our backend starts synchronously, so the promise is already settled in effect.
  void tf.setBackend(backendName);
  tf.engine().startScope();
  try {
    const tensors: Record<string, tf.Tensor> = {};
    for (const [inputName, { shape, dtype }] of Object.entries(inputs)) {
      const value = recording.input({ name: inputName, shape, type: dtype });
      tensors[inputName] = tf.engine().makeTensorFromTensorInfo(tensorInfo(value, shape, dtype));
    }
    for (const [outputName, tensor] of Object.entries(run(tensors))) {
      const type = traceType(tensor.dtype);
      recording.output({ name: `out:${outputName}`, shape: tensor.shape, type }, valueOf(tensor));
    }
    return recording.finish();
  } finally {
    tf.engine().endScope();
    current = null;
    if (previous) void tf.setBackend(previous);
  }
}
