/**
 * Several training steps in one run of a graph, for a device whose memory this runtime cannot keep arrays in between runs: CUDA, in ONNX
 * Runtime for Node. Weights, the optimiser's arrays and the embedding rows of all the run's batches cross the bus once a run and not once
 * a step; between its steps they stay on the device. The mathematics is that of single steps with the optimiser in the graph.
 */
import type { BusyClock } from './busyClock.js';
import { compile, type Feeds, type Specs, type TensorData } from './compile.js';
import { plainName, size } from './compiledGraph.js';
import { denseFeeds, takeDense } from './denseState.js';
import { batchInput, type BatchTensors, type FeedBatch, type StepOptions } from './gradients.js';
import { LatestGraph } from './latestGraph.js';
import { recordStep, stepInputs, type StepPlaces } from './recordStep.js';
import { repeated } from './repeated.js';
import { ReusedArrays } from './reusedArrays.js';
import { bytesOf, isFiniteStep, stepReport, type StepReport } from './stepReport.js';
import { idsInput } from './tables/recordedRows.js';
import { RunTables } from './tables/runTables.js';

export class SeveralSteps {
  private readonly compiled = new LatestGraph();
  private readonly spare = new ReusedArrays();
  private readonly tables: RunTables;

  constructor(
    private readonly options: StepOptions,
    private readonly clocks: { readonly busy: BusyClock; readonly compiling: BusyClock },
  ) {
    this.tables = new RunTables(options);
  }

  /**
   * Takes the steps of these batches, the first of them numbered `first`; their arrays but for the list of rows have the same shapes. Where
   * a number is not finite nothing has changed, and null is returned: taken one by one the steps tell which it is.
   */
  async take(batches: readonly FeedBatch[], first: number): Promise<readonly StepReport[] | null> {
    const { options, clocks, tables, spare } = this;
    const prepared = clocks.busy.start();
    tables.begin(batches);
    const feeds = {
      ...denseFeeds(options, true),
      ...tables.feeds(first),
      ...stacked(batches),
      ...this.scalars(batches.length, first),
    };
    prepared();
    const graph = await this.graphFor(batches[0]!);
    const into = Object.fromEntries(
      graph.graph.outputs.map(({ name, shape }) => {
        const key = plainName(name);
        return [
          key,
          key.startsWith('new:') ? spare.float(key, size(shape)) : new Float32Array(batches.length),
        ];
      }),
    );
    const ran = clocks.busy.start();
    const outputs = await graph.run(feeds, into);
    ran();
    const places = batches.map((_, at) => at);
    if (!places.every((at) => isFiniteStep(outputs, at))) return null;
    const moved = clocks.busy.start();
    tables.accept(outputs);
    takeDense(options, outputs, spare);
    moved();
    const bytes = bytesOf(Object.values(feeds)) + bytesOf(Object.values(outputs));
    return places.map((at) => stepReport(outputs, bytes / batches.length, at));
  }

  release(): Promise<void> {
    return this.compiled.release();
  }

  /** The optimiser's numbers of each step: [step]. */
  private scalars(steps: number, first: number): Feeds {
    const { optimizer, learningRate } = this.options;
    const numbers = Array.from({ length: steps }, (_, i) =>
      optimizer.scalars(first + i, learningRate(first + i)),
    );
    return Object.fromEntries(
      Object.keys(numbers[0]!).map((name) => [
        `scalar:${name}`,
        Float32Array.from(numbers, (one) => one[name]!),
      ]),
    );
  }

  private graphFor(batch: FeedBatch) {
    const { options, clocks, tables } = this;
    const { name, device, withoutPasses } = options;
    const places: StepPlaces = { onHost: false, tables };
    const inputs: Specs = stepInputs(options, batch, places);
    return this.compiled.of(inputs, async () => {
      const made = clocks.compiling.start();
      const record = (tensors: BatchTensors) => recordStep(options, tensors, places);
      const graph = await compile(name, inputs, record, device, {
        withoutPasses,
        within: (one) => repeated(one, isOfOneStep),
      });
      made();
      return graph;
    });
  }
}

/** Inputs that differ from step to step and are no state. */
const isOfOneStep = (input: string) => input === idsInput || /^(batch|scalar|missed):/.test(input);

/** The arrays of all batches, [step, ...]. */
function stacked(batches: readonly FeedBatch[]): Feeds {
  const all: Record<string, TensorData> = {};
  for (const [name, { data }] of Object.entries(batches[0]!.tensors)) {
    const { length } = data;
    const array = new (data.constructor as new (length: number) => TensorData)(batches.length * length);
    batches.forEach(({ tensors }, i) => {
      array.set(tensors[name]!.data, i * length);
    });
    all[batchInput(name)] = array;
  }
  return all;
}
