/**
 * What workers tell each other before each step, in one sum: their shares of the numbers of the whole batch that a loss asks for
 * (wholeBatch.ts), from a small graph for each batch shape, and how many embedding rows each has.
 */
import { compile, type CompiledGraph, type Feeds, type Specs } from '../compile.js';
import { recordSharesOf, type BatchTensors, type StepOptions } from '../gradients.js';
import { LatestGraph } from '../latestGraph.js';
import type { Workers } from './workers.js';

export interface WholeBatch {
  /** The sums over all workers by the names of their inputs. */
  readonly sums: Readonly<Record<string, Float32Array>>;
  /** Embedding rows of each worker's part, [rank]. */
  readonly rowCounts: Int32Array;
}

export class BatchSums {
  private readonly compiled = new LatestGraph();

  constructor(
    private readonly options: StepOptions,
    private readonly workers: Workers,
  ) {}

  /** `inputs`, `feeds` and `rowCount` are those of this worker's step. */
  async of(inputs: Specs, feeds: Feeds, rowCount: number): Promise<WholeBatch> {
    const { rank, size } = this.workers;
    const shares = await (await this.graphFor(inputs)).run(feeds);
    const names = Object.keys(shares);
    const all = new Float32Array(size + names.length);
    all[rank] = rowCount; // exact up to 2^24
    names.forEach((name, i) => (all[size + i] = shares[name]![0]!));
    await this.workers.sum(all);
    const sums = names.map((name, i) => [name, all.subarray(size + i, size + i + 1)] as const);
    return { sums: Object.fromEntries(sums), rowCounts: Int32Array.from(all.subarray(0, size)) };
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
