/** The numbers of the whole batch that a loss asks for (wholeBatch.ts), before each step: one small graph a batch shape, and one sum. */
import { compile, type CompiledGraph, type Feeds, type Specs } from '../compile.js';
import { recordSharesOf, type BatchTensors, type StepOptions } from '../gradients.js';
import { LatestGraph } from '../latestGraph.js';
import type { Workers } from './workers.js';

export class BatchSums {
  private readonly compiled = new LatestGraph();

  constructor(
    private readonly options: StepOptions,
    private readonly workers: Workers,
  ) {}

  /** The sums over all workers by the names of their inputs; `inputs` and `feeds` are those of this worker's step. */
  async of(inputs: Specs, feeds: Feeds): Promise<Record<string, Float32Array>> {
    const shares = await (await this.graphFor(inputs)).run(feeds);
    const names = Object.keys(shares);
    const sums = Float32Array.from(names, (name) => shares[name]![0]!);
    await this.workers.sum(sums);
    return Object.fromEntries(names.map((name, i) => [name, sums.subarray(i, i + 1)]));
  }

  release(): Promise<void> {
    return this.compiled.release();
  }

  private graphFor(inputs: Specs): Promise<CompiledGraph> {
    const { options, workers } = this;
    const record = (tensors: BatchTensors) => recordSharesOf(options, workers, tensors);
    return this.compiled.of(inputs, () => compile(`${options.name}-shares`, inputs, record, options.device));
  }
}
