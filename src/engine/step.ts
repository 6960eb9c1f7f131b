/**
 * A training step: forward and backward as one compiled graph, then the optimiser over the dense parameters and the embedding rows
 * that the batch touches. On the processor the optimiser is a loop over host memory: the graph gives gradients, and moments never pass
 * through it. For dense parameters it can also be part of the graph, which then reads the old state and writes the new one beside it; on
 * a device that can keep both they stay there, and so do embedding tables where they fit (deviceState.ts). Either way nothing is written
 * before the step is known to be finite, so that the state before it is still there to be looked at.
 */
import { letGo } from '../memory.js';
import { BusyClock } from './busyClock.js';
import { isOfShape, shapeOf, type BatchShape } from './batchShape.js';
import { compile, type CompiledGraph, type Feeds, type Specs, type TensorData } from './compile.js';
import { plainName, size, type DeviceArrays } from './compiledGraph.js';
import { denseFeeds, takeDense } from './denseState.js';
import { keepsArrays } from './devices/deviceCopies.js';
import { DeviceState } from './devices/deviceState.js';
import type { DeviceTables } from './devices/deviceTables.js';
import { batchInput, type BatchTensors, type FeedBatch, type StepOptions } from './gradients.js';
import { LatestGraph } from './latestGraph.js';
import { reportNonFinite } from './nonFinite.js';
import { recordStep, stepInputs } from './recordStep.js';
import { ReusedArrays } from './reusedArrays.js';
import { SeveralSteps } from './severalSteps.js';
import type { ModelState } from './state.js';
import { bytesOf, isFiniteStep, stepReport, type StepReport } from './stepReport.js';
import { BatchSums } from './workers/batchSums.js';
import { WholeSteps } from './workers/combine.js';
import { oneWorker, type Workers } from './workers/workers.js';

export class TrainingStep {
  /** Time of the graph, of gathering embedding rows and of the optimiser. */
  readonly busy = new BusyClock();
  readonly compiling = new BusyClock();
  private readonly compiled = new LatestGraph();
  /** The arrays of the step before last, written by the next step. */
  private readonly spare = new ReusedArrays();

  private readonly workers: Workers;
  private readonly sums: BatchSums;
  private readonly whole: WholeSteps;
  /** Where the optimiser of the dense parameters runs. */
  readonly onHost: boolean;
  /** What stays on the device between steps, where something does. */
  private readonly there: DeviceState | null;
  /** The embedding tables among it. */
  readonly tables: DeviceTables | null;
  /** Takes runs of steps, where nothing stays and a run has several. */
  private readonly several: SeveralSteps | null;
  private inputs: Inputs | null = null;
  private outputsOf: { readonly graph: CompiledGraph; readonly large: LargeOutputs } | null = null;

  constructor(private readonly options: StepOptions) {
    const { device, optimizerOn, workers = oneWorker, stepsPerRun = 1 } = options;
    this.workers = workers;
    this.sums = new BatchSums(options, workers);
    this.whole = new WholeSteps(workers);
    // Workers add up gradients, which lie in host memory then.
    this.onHost = workers.size > 1 || (optimizerOn ?? (keepsArrays(device) ? 'graph' : 'host')) === 'host';
    this.there = !this.onHost && keepsArrays(device) ? new DeviceState(options) : null;
    this.tables = this.there?.tables ?? null;
    const inRuns = stepsPerRun > 1 && workers.size === 1 && !this.there && device.provider !== 'tensorflow';
    this.several = inRuns ? new SeveralSteps(options, this) : null;
  }

  /** Steps that a run had best be given. */
  get stepsPerRun(): number {
    return this.several ? (this.options.stepsPerRun ?? 1) : 1;
  }

  /** Takes a step for each of these batches, the first of them numbered `first`. */
  async takeRun(batches: readonly FeedBatch[], first: number): Promise<readonly StepReport[]> {
    const reports: StepReport[] = [];
    for (const alike of this.several ? ofEqualShapes(batches) : [batches]) {
      const together = await this.several?.take(alike, first + reports.length);
      if (together) reports.push(...together);
      else for (const batch of alike) reports.push(await this.take(batch, first + reports.length));
    }
    return reports;
  }

  /** Takes one step. `step` counts from 1 over the whole training. */
  async take(batch: FeedBatch, step: number): Promise<StepReport> {
    const { options, workers } = this;
    const scalars = options.optimizer.scalars(step, options.learningRate(step));
    const there = await this.there?.there();
    const gathered = this.busy.start();
    const rowFeeds = this.tables?.feeds(batch, step) ?? this.presentRows(batch, step);
    gathered();
    const feeds = this.feedsOf(batch, rowFeeds);
    for (const [name, value] of Object.entries(scalars)) feeds[`scalar:${name}`] = Float32Array.of(value);
    const shared =
      workers.size > 1 ? await this.sums.of(this.inputsOf(batch).specs, feeds, batch.rowCount) : null;
    Object.assign(feeds, shared?.sums);
    const graph = await this.compileFor(batch, shared?.sums);

    const into: Record<string, TensorData> = {};
    for (const [key, length] of this.largeOutputs(graph)) into[key] = this.spare.float(key, length);
    const ran = this.busy.start();
    const own = await graph.run(feeds, into, there);
    ran();
    const { rows, outputs } = shared
      ? await this.whole.of(batch, own, shared.rowCounts)
      : { rows: batch, outputs: own };
    const report = stepReport(outputs, this.bytesMoved(graph, feeds, there?.read ?? {}, outputs));
    if (!isFiniteStep(outputs)) {
      await this.toHost();
      const shown = this.tables ? this.feedsOf(batch, this.presentRows(batch, step), {}) : feeds;
      await reportNonFinite({ ...options, workers, step, batch, feeds: shown, outputs: own });
    }
    const moved = this.busy.start();
    if (shared) this.bringUpTo(step - 1, rows); // with those that others met
    this.update(step, rows, outputs, scalars, report.gradientNorm);
    this.tables?.accept(batch, step);
    if (this.there) this.there.accept();
    else if (!this.onHost) takeDense(options, outputs, this.spare);
    moved();
    letGo(bytesOf(Object.values(own))); // copies that the binding of ONNX Runtime makes of outputs, for nobody
    return report;
  }

  private bringUpTo(step: number, { rowIds, rowCount }: BatchRows): void {
    for (const { rows } of Object.values(this.options.trained)) rows.bringUpTo(step, rowIds, rowCount);
  }

  /** Brings the models up to date where a device keeps them. Dense parameters and their slots may be changed until the next step. */
  async toHost(): Promise<void> {
    await this.there?.toHost();
  }

  async release(): Promise<void> {
    await this.there?.release();
    await this.compiled.release();
    await this.several?.release();
    await this.sums.release();
  }

  /** What a step on this batch is fed, beside scalars and sums; by default into an object that the next one writes again. */
  private feedsOf(
    batch: FeedBatch,
    rows: Feeds,
    into = this.inputsOf(batch).feeds,
  ): Record<string, TensorData> {
    Object.assign(into, denseFeeds(this.options, !this.onHost), rows);
    for (const [name] of this.inputsOf(batch).shape.tensors)
      into[batchInput(name)] = batch.tensors[name]!.data;
    return into;
  }

  /** The batch's rows of all models as they are before `step`, gathered from the host's tables. */
  private presentRows(batch: FeedBatch, step: number): Feeds {
    const { trained, frozen } = this.options;
    this.bringUpTo(step - 1, batch);
    const { rowIds } = batch;
    const feeds: Record<string, TensorData> = {};
    const add = (name: string, { table }: ModelState) => {
      const into = this.spare.float(`gathered:rows:${name}`, rowIds.length * table.width);
      table.gather(rowIds, rowIds.length, into);
      feeds[`rows:${name}`] = into;
    };
    for (const [name, { state }] of Object.entries(trained)) add(name, state);
    for (const [name, state] of Object.entries(frozen)) add(name, state);
    return feeds;
  }

  /** Moves rows, and parameters where the host does that, by the step's gradients, in place. */
  private update(
    step: number,
    batch: BatchRows,
    outputs: Readonly<Record<string, TensorData>>,
    scalars: Readonly<Record<string, number>>,
    gradientNorm: number,
  ): void {
    const { optimizer, clipNorm, trained } = this.options;
    const factor = clipNorm === 0 ? 1 : Math.min(1, clipNorm / (gradientNorm + 1e-12));
    for (const [name, { state, slots, rows }] of Object.entries(trained)) {
      if (this.onHost) {
        const dense = { values: outputs[`gradient:vector:${name}`] as Float32Array, from: 0, factor };
        const { vector } = state;
        const place = { parameter: vector, slots, starts: fromItsStart, width: vector.length };
        optimizer.updateInPlace(place, dense, scalars);
      }
      if (this.tables) continue;
      const values = outputs[`gradient:rows:${name}`] as Float32Array;
      rows.update(step, batch.rowIds, batch.rowCount, { values, factor }, scalars);
    }
  }

  /** The outputs of a graph that are written to the step's own arrays, with their lengths. */
  private largeOutputs(graph: CompiledGraph): LargeOutputs {
    if (this.outputsOf?.graph !== graph) {
      const large = graph.graph.outputs
        .map(({ name, type, shape }) => ({ key: plainName(name), type, length: size(shape) }))
        .filter(({ key, type }) => type === 'float32' && /^(new|gradient):/.test(key))
        .filter(({ key }) => !(this.there && key.startsWith('new:')))
        .map(({ key, length }) => [key, length] as const);
      this.outputsOf = { graph, large };
    }
    return this.outputsOf.large;
  }

  private bytesMoved({ graph }: CompiledGraph, feeds: Feeds, there: DeviceArrays, outputs: Feeds): number {
    let bytes = this.there?.takeMoved() ?? 0;
    for (const { name } of graph.inputs) if (!(name in there)) bytes += feeds[name]!.byteLength;
    return bytes + bytesOf(Object.values(outputs));
  }

  /** What a step on this batch reads; the same as long as batches are of one shape. */
  private inputsOf(batch: FeedBatch): Inputs {
    if (!this.inputs || !isOfShape(batch, this.inputs.shape))
      this.inputs = { shape: shapeOf(batch), specs: stepInputs(this.options, batch, this), feeds: {} };
    return this.inputs;
  }

  /** The graph for batches of this shape, which reads these numbers of the whole batch. */
  async compileFor(batch: FeedBatch, sums?: Feeds): Promise<CompiledGraph> {
    const { options } = this;
    const { specs } = this.inputsOf(batch);
    const inputs = sums ? { ...specs, ...sumInputs(sums) } : specs;
    const { name, device, withoutPasses } = options;
    return this.compiled.of(inputs, async () => {
      const made = this.compiling.start();
      const record = (tensors: BatchTensors) => recordStep(options, tensors, this);
      const graph = await compile(name, inputs, record, device, { withoutPasses });
      made();
      return graph;
    });
  }
}

type LargeOutputs = readonly (readonly [key: string, length: number])[];

/** What a step on batches of a shape reads. */
interface Inputs {
  readonly shape: BatchShape;
  readonly specs: Specs;
  /** By the names of inputs; filled anew for each batch. */
  readonly feeds: Record<string, TensorData>;
}

const sumInputs = (sums: Feeds): Specs =>
  Object.fromEntries(Object.keys(sums).map((name) => [name, { shape: [1], dtype: 'float32' }] as const));

/** Of a vector, which is one long row. */
const fromItsStart = Uint32Array.of(0);

/** Embedding rows of a step: those of `rowIds` up to `rowCount`. */
type BatchRows = Pick<FeedBatch, 'rowIds' | 'rowCount'>;

/** Batches one after another whose arrays have the same shapes. */
function ofEqualShapes(batches: readonly FeedBatch[]): FeedBatch[][] {
  const groups: FeedBatch[][] = [];
  let key = '';
  for (const batch of batches) {
    const shapes = JSON.stringify(Object.values(batch.tensors).map(({ spec }) => spec.shape));
    if (shapes === key) groups.at(-1)!.push(batch);
    else groups.push([batch]);
    key = shapes;
  }
  return groups;
}
