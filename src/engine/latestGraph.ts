/**
 * The compiled graph of the latest shape of a batch. Batches of a training only grow (train/batches/trainingBatches.ts), so that none
 * comes back to an earlier shape, and a graph holds tens of megabytes for its runs: the one before is let go of first.
 */
import type { CompiledGraph, Specs } from './compiledGraph.js';

export class LatestGraph {
  private key = '';
  private graph: CompiledGraph | null = null;

  /** The graph of these inputs, made unless it is the latest. */
  async of(inputs: Specs, make: () => Promise<CompiledGraph>): Promise<CompiledGraph> {
    const key = JSON.stringify(inputs);
    if (this.graph && this.key === key) return this.graph;
    await this.release();
    this.graph = await make();
    this.key = key;
    return this.graph;
  }

  async release(): Promise<void> {
    const { graph } = this;
    this.graph = null;
    await graph?.release();
  }
}
