/**
 * A graph some of whose outputs stay in the device's memory, where later runs read them as inputs: what does not cross the bus. ONNX
 * Runtime has it for WebGPU. An array that is kept must be released, and can be read only by a graph (ONNX Runtime ends the process of
 * whoever asks such a tensor for its data), so reading one is a run of a graph that does nothing else.
 */
import * as ort from 'onnxruntime-node';
import { openSession, toTensors, type Specs, type TensorData } from '../compile.js';
import type { CompiledGraph, Feeds, TracedFunction } from '../compiledGraph.js';
import type { Device } from './device.js';
import { encodeOnnx, type OnnxGraph } from '../onnx.js';
import { optimise } from '../passes/index.js';
import { trace } from '../trace/index.js';

/** Float numbers in the device's memory. */
export type DeviceArray = ort.Tensor;
export type DeviceArrays = Readonly<Record<string, DeviceArray>>;

export interface KeepingGraph {
  readonly graph: OnnxGraph;
  /** Runs once, on numbers of the host and of the device; outputs of the host are written to `into` where it names them. */
  run(
    feeds: Feeds,
    there: DeviceArrays,
    into: Readonly<Record<string, TensorData>>,
  ): Promise<{ readonly outputs: Record<string, TensorData>; readonly kept: Record<string, DeviceArray> }>;
  release(): Promise<void>;
}

/** Whether a device's memory can hold what a graph leaves there. */
export const keepsArrays = ({ provider }: Device): boolean => provider === 'webgpu';

/** Compiles as compile.ts does; outputs for which `isKept` stay on the device. */
export async function compileKeeping(
  name: string,
  inputs: Specs,
  fn: TracedFunction,
  device: Device,
  isKept: (output: string) => boolean,
  withoutPasses: readonly string[] = [],
): Promise<KeepingGraph> {
  const graph = optimise(trace(name, inputs, fn), withoutPasses);
  const names = graph.outputs.map((output) => ({
    full: output.name,
    plain: output.name.replace(/^out:/, ''),
  }));
  const session = await openSession(encodeOnnx(graph), device, {
    preferredOutputLocation: Object.fromEntries(
      names.map(({ full, plain }) => [full, isKept(plain) ? 'gpu-buffer' : 'cpu']),
    ),
  });
  return {
    graph,
    async run(feeds, there, into) {
      const onHost = graph.inputs.filter((input) => !(input.name in there));
      // Outputs into arrays of the caller's are not written where some output stays on the device.
      const results = await session.run({ ...toTensors(name, onHost, feeds), ...there });
      const outputs: Record<string, TensorData> = {};
      const kept: Record<string, DeviceArray> = {};
      for (const { full, plain } of names) {
        const result = results[full]!;
        if (isKept(plain)) kept[plain] = result;
        else {
          const data = result.data as TensorData; // no strings in our graphs
          into[plain]?.set(data);
          outputs[plain] = into[plain] ?? data;
        }
      }
      return { outputs, kept };
    },
    release: () => session.release(),
  };
}

/** A graph of the host alone, as one that keeps nothing. */
export const keepingNothing = (compiled: CompiledGraph): KeepingGraph => ({
  graph: compiled.graph,
  run: async (feeds, _, into) => ({ outputs: await compiled.run(feeds, into), kept: {} }),
  release: () => compiled.release(),
});

/** Copies arrays between host and device. */
export class DeviceCopies {
  private readonly compiled = new Map<string, Promise<KeepingGraph>>();

  constructor(private readonly device: Device) {}

  async toDevice(values: Float32Array): Promise<DeviceArray> {
    const { kept } = await (await this.identity(values.length, true)).run({ x: values }, {}, {});
    return kept.x!;
  }

  async toHost(array: DeviceArray, into: Float32Array): Promise<void> {
    await (await this.identity(into.length, false)).run({}, { x: array }, { x: into });
  }

  async release(): Promise<void> {
    for (const graph of this.compiled.values()) await (await graph).release();
    this.compiled.clear();
  }

  private identity(length: number, keeps: boolean): Promise<KeepingGraph> {
    const key = `${length} ${keeps}`;
    let graph = this.compiled.get(key);
    if (!graph) {
      const inputs: Specs = { x: { shape: [length], dtype: 'float32' } };
      graph = compileKeeping(
        'copy',
        inputs,
        ({ x }) => ({ x: x! }),
        this.device,
        () => keeps,
      );
      this.compiled.set(key, graph);
    }
    return graph;
  }
}
