/**
 * From a function of tensors to something that runs: record it (trace/), rewrite it (passes/), encode it (onnx.ts), hand it to ONNX
 * Runtime; or, where the device is TensorFlow, run it as it stands (eager.ts). Shapes are fixed; inputs are used where they lie (no
 * copy); outputs go to arrays of the caller's, so that a step can write its new state beside the old one.
 */
import * as ort from 'onnxruntime-node';
import { internal } from '../errors.js';
import {
  plainName,
  size,
  type CompiledGraph,
  type Feeds,
  type Specs,
  type TensorData,
  type There,
  type TracedFunction,
} from './compiledGraph.js';
import type { Device } from './devices/device.js';
import { eagerGraph } from './devices/eager.js';
import { anyLength, encodeOnnx, type OnnxGraph, type OnnxValue } from './onnx.js';
import { optimise } from './passes/index.js';
import { tf } from './tf.js';
import { trace, type DType } from './trace/index.js';

export type { CompiledGraph, Feeds, Specs, TensorData } from './compiledGraph.js';

const onHost: There = { read: {}, write: {} };

export interface CompileOptions {
  /** Names of passes to leave out; tests and benches do. */
  readonly withoutPasses?: readonly string[] | undefined;
  /**
   * For a shape that few batches have: ONNX Runtime keeps no plan of a run's memory for it. A step of TARQ then holds half as much
   * (65 MB of 130), and takes a twentieth longer.
   */
  readonly isRare?: boolean;
  /** What the graph is made part of after all passes (repeated.ts). */
  readonly within?: (graph: OnnxGraph) => OnnxGraph;
}

const itself = (graph: OnnxGraph) => graph;

/** Records `fn` over inputs of the given shapes and compiles it. */
export async function compile(
  name: string,
  inputs: Specs,
  fn: TracedFunction,
  device: Device,
  { withoutPasses, isRare = false, within = itself }: CompileOptions = {},
): Promise<CompiledGraph> {
  const graph = within(optimise(trace(name, inputs, fn), withoutPasses));
  if (device.provider === 'tensorflow') return eagerGraph(graph, fn);
  const session = await openSession(encodeOnnx(graph), device, { enableMemPattern: !isRare });
  return {
    graph,
    async run(feeds, into = {}, there = onHost) {
      const fetches: Record<string, ort.Tensor> = {};
      const data: Record<string, TensorData> = {};
      for (const { name: output, shape, type } of graph.outputs) {
        const plain = plainName(output);
        if (there.write[plain]) {
          fetches[output] = there.write[plain];
          continue;
        }
        const array = into[plain] ?? allocate(type as DType, size(shape));
        data[plain] = array;
        fetches[output] = toTensor(array, actualShape(shape, array.length), type as DType);
      }
      const fed = graph.inputs.filter((input) => !(input.name in there.read));
      await session.run({ ...toTensors(name, fed, feeds), ...there.read }, fetches);
      return data;
    },
    release: () => session.release(),
  };
}

/**
 * Numbers below 1.2e-38, which float32 holds with fewer digits, count as zero, in the graph and (ONNX Runtime sets the mode of the thread
 * that opens the first session) in the process. Weights of padding and moments of rows that went without a gradient for a thousand
 * steps are such numbers, and some processors take a hundred times as long for one: a tenth of TARQ's step.
 */
const denormalsAreZero = { session: { set_denormal_as_zero: '1' } };

export const openSession = (
  model: Uint8Array,
  { provider, threads }: Device,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<ort.InferenceSession> =>
  ort.InferenceSession.create(model, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    logSeverityLevel: 3,
    extra: denormalsAreZero,
    ...options,
  });

/**
 * Has a device compile a graph of one operation: a twentieth of a second for what the first graph of a process has to wait for, which
 * goes by while other threads start or read.
 */
export async function startEngine(device: Device): Promise<void> {
  const inputs = { x: { shape: [1], dtype: 'float32' } } as const;
  const graph = await compile('start', inputs, ({ x }) => ({ y: tf.neg(x!) }), device);
  await graph.release();
}

/** What a graph is fed, as ONNX Runtime wants it. */
function toTensors(graph: string, inputs: readonly OnnxValue[], feeds: Feeds): Record<string, ort.Tensor> {
  const tensors: Record<string, ort.Tensor> = {};
  for (const { name, shape, type } of inputs) {
    const data = feeds[name] ?? internal(`graph ${graph} is not fed ${name}`);
    const actual = actualShape(shape, data.length);
    if (data.length !== size(actual)) {
      internal(`graph ${graph} is fed ${data.length} numbers for ${name} of shape [${shape.join(', ')}]`);
    }
    tensors[name] = toTensor(data, actual, type as DType);
  }
  return tensors;
}

/** A shape with the length of its first axis where that may be any. */
function actualShape(shape: readonly number[], numbers: number): readonly number[] {
  if (shape[0] !== anyLength) return shape;
  const rest = shape.slice(1);
  return [Math.floor(numbers / size(rest)), ...rest];
}

const toTensor = (data: TensorData, shape: readonly number[], dtype: DType) =>
  new ort.Tensor(dtype, data, shape);

function allocate(dtype: DType, length: number): TensorData {
  if (dtype === 'float32') return new Float32Array(length);
  return dtype === 'int32' ? new Int32Array(length) : new Uint8Array(length);
}
