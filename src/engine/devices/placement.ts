/**
 * Which execution provider runs how many nodes of a graph. A provider leaves what it cannot do to the processor, and every change
 * between the two moves data. ONNX Runtime tells it in the profile of a run only.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { Feeds } from '../compiledGraph.js';
import type { Device } from './device.js';
import { encodeOnnx, type OnnxGraph } from '../onnx.js';

export interface Placement {
  /** Nodes after ONNX Runtime's own rewriting. */
  readonly nodes: number;
  /** Those that the processor runs. */
  readonly onProcessor: number;
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  readonly args?: { readonly provider?: string };
}

/** Runs the graph once on the device, with its nodes counted by provider. */
export async function placement(graph: OnnxGraph, feeds: Feeds, device: Device): Promise<Placement> {
  const folder = await mkdtemp(join(tmpdir(), 'cascade-profile-'));
  try {
    const session = await ort.InferenceSession.create(encodeOnnx(graph), {
      executionProviders: [device.provider],
      intraOpNumThreads: device.threads,
      logSeverityLevel: 3,
      enableProfiling: true,
      profileFilePrefix: join(folder, 'run'),
    });
    const tensors = graph.inputs.map(
      ({ name, type, shape }) => [name, new ort.Tensor(type as 'float32', feeds[name]!, shape)] as const,
    );
    await session.run(Object.fromEntries(tensors));
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    return countNodes(JSON.parse(await readFile(join(folder, file!), 'utf8')) as ProfileEvent[]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function countNodes(events: readonly ProfileEvent[]): Placement {
  const kernels = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'));
  const onProcessor = kernels.filter(({ args }) => args?.provider === 'CPUExecutionProvider');
  return { nodes: kernels.length, onProcessor: onProcessor.length };
}
