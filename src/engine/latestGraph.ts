/**
 * The compiled graph of the latest shape of a batch. Batches of a training only grow (train/batches/trainingBatches.ts), so that none
 * comes back to an earlier shape, and a graph holds tens of megabytes for its runs: the one before is let go of first.
 */
import type { CompiledGraph, Specs } from './compiledGraph.js';
import type { TensorSpec } from './trace/index.js';

export class LatestGraph {
  private inputs: Specs = {};
  private graph: CompiledGraph | null = null;

  /** The graph of these inputs, made unless it is the latest. */
  async of(inputs: Specs, make: () => Promise<CompiledGraph>): Promise<CompiledGraph> {
    if (this.graph && (this.inputs === inputs || areEqual(this.inputs, inputs))) return this.graph;
    await this.release();
    this.graph = await make();
    this.inputs = inputs;
    return this.graph;
  }

  async release(): Promise<void> {
    const { graph } = this;
    this.graph = null;
    await graph?.release();
  }
}

function areEqual(a: Specs, b: Specs): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => isEqual(a[name]!, b[name]));
}

const isEqual = (a: TensorSpec, b: TensorSpec | undefined): boolean =>
  a === b ||
  (a.dtype === b?.dtype &&
    a.shape.length === b.shape.length &&
    a.shape.every((length, axis) => length === b.shape[axis]));
