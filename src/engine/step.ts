/**
 * A training step: forward and backward as one compiled graph, then the optimiser over the dense parameters and the embedding rows
 * that the batch touches. On the processor the optimiser is a loop over host memory: the graph gives gradients, and moments never pass
 * through it. For dense parameters it can also be part of the graph, which then reads the old state and writes the new one beside it; on
 * a device that can keep both they stay there (deviceState.ts). Either way nothing is written before the step is known to be finite, so
 * that the state before it is still there to be looked at.
 */
import * as tf from '@tensorflow/tfjs';
import { BusyClock } from './busyClock.js';
import { compile, type Feeds, type Specs, type TensorData } from './compile.js';
import { DeviceState } from './devices/deviceState.js';
import {
  recordGradients,
  withPrefix,
  type BatchTensors,
  type FeedBatch,
  type StepOptions,
} from './gradients.js';
import {
  compileKeeping,
  keepingNothing,
  keepsArrays,
  type DeviceArrays,
  type KeepingGraph,
} from './devices/keepingGraph.js';
import { reportNonFinite } from './nonFinite.js';
import type { ModelState } from './state.js';
import type { TensorSpec } from './trace/index.js';
import { BatchSums } from './workers/batchSums.js';
import { combine } from './workers/combine.js';
import { oneWorker, type Workers } from './workers/workers.js';

export interface StepReport {
  /** Each loss term by name, before its weight. */
  readonly terms: Readonly<Record<string, number>>;
  /** The weighted sum. */
  readonly loss: number;
  /** Norm of the whole gradient before clipping. */
  readonly gradientNorm: number;
  /** Bytes that crossed between host memory and the device's: what the step was fed and what it gave back; 0 on the processor. */
  readonly bytesMoved: number;
}

export class TrainingStep {
  /** Time of the graph, of gathering embedding rows and of the optimiser. */
  readonly busy = new BusyClock();
  readonly compiling = new BusyClock();
  private readonly compiled = new Map<string, KeepingGraph>();
  /** The arrays of the step before last, written by the next step. */
  private readonly spare = new Map<string, TensorData>();

  private readonly workers: Workers;
  private readonly sums: BatchSums;
  /** Where the optimiser of the dense parameters runs. */
  private readonly onHost: boolean;
  /** What stays on the device between steps, where something does. */
  private readonly there: DeviceState | null;

  constructor(private readonly options: StepOptions) {
    const { device, optimizerOn, trained, frozen, workers = oneWorker } = options;
    this.workers = workers;
    this.sums = new BatchSums(options, workers);
    // Workers add up gradients, which lie in host memory then.
    this.onHost = workers.size > 1 || (optimizerOn ?? (keepsArrays(device) ? 'graph' : 'host')) === 'host';
    this.there = !this.onHost && keepsArrays(device) ? new DeviceState(trained, frozen, device) : null;
  }

  /** Takes one step. `step` counts from 1 over the whole training. */
  async take(batch: FeedBatch, step: number): Promise<StepReport> {
    const { options, workers } = this;
    const scalars = options.optimizer.scalars(step, options.learningRate(step));
    const gathered = this.busy.start();
    this.bringUpTo(step - 1, batch);
    const feeds: Record<string, TensorData> = { ...this.modelFeeds(batch) };
    gathered();
    for (const [name, { data }] of Object.entries(batch.tensors)) feeds[`batch:${name}`] = data;
    for (const [name, value] of Object.entries(scalars)) feeds[`scalar:${name}`] = Float32Array.of(value);
    const sums = workers.size > 1 ? await this.sums.of(this.inputs(batch), feeds) : {};
    Object.assign(feeds, sums);
    const graph = await this.compileFor(batch, sums);

    const into: Record<string, TensorData> = {};
    for (const { name, type, shape } of graph.graph.outputs) {
      const key = name.replace(/^out:/, '');
      if (type === 'float32' && /^(new|gradient):/.test(key)) into[key] = this.spareArray(key, size(shape));
    }
    const there = (await this.there?.arrays()) ?? {};
    const ran = this.busy.start();
    const { outputs: own, kept } = await graph.run(feeds, there, into);
    ran();
    const { rows, outputs } =
      workers.size > 1 ? await combine(workers, batch, own) : { rows: batch, outputs: own };
    const report = this.reportOf(feeds, there, outputs);
    const finite =
      Number.isFinite(report.loss) &&
      Number.isFinite(report.gradientNorm) &&
      Number.isFinite(outputs.state_norm![0]);
    if (!finite) {
      await this.toHost();
      await reportNonFinite({ ...options, workers, step, batch, feeds, outputs: own });
    }
    const moved = this.busy.start();
    if (workers.size > 1) this.bringUpTo(step - 1, rows); // with those that others met
    this.update(step, rows, outputs, scalars, report.gradientNorm);
    if (this.there) this.there.accept(kept);
    else if (!this.onHost) this.accept(outputs);
    moved();
    return report;
  }

  private bringUpTo(step: number, { rowIds, rowCount }: BatchRows): void {
    for (const { rows } of Object.values(this.options.trained)) rows.bringUpTo(step, rowIds, rowCount);
  }

  /** Brings the models' dense parameters and their slots up to date where a device keeps them; they may be changed until the next step. */
  async toHost(): Promise<void> {
    await this.there?.toHost();
  }

  async release(): Promise<void> {
    await this.there?.release();
    for (const graph of this.compiled.values()) await graph.release();
    this.compiled.clear();
    await this.sums.release();
  }

  /** Dense vectors and gathered rows of all models, with the optimiser's arrays. */
  private modelFeeds(batch: FeedBatch): Feeds {
    const feeds: Record<string, TensorData> = {};
    const { rowIds } = batch;
    const gathered = (key: string, width: number) =>
      (feeds[key] = this.spareArray(`gathered:${key}`, rowIds.length * width));
    const model = (name: string, { vector, table }: ModelState) => {
      feeds[`vector:${name}`] = vector;
      table.gather(rowIds, rowIds.length, gathered(`rows:${name}`, table.width));
    };
    for (const [name, { state, slots }] of Object.entries(this.options.trained)) {
      model(name, state);
      if (!this.onHost) slots.forEach((slot, i) => (feeds[`vector:${name}:${i}`] = slot));
    }
    for (const [name, state] of Object.entries(this.options.frozen)) model(name, state);
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
        optimizer.updateInPlace({ parameter: vector, slots, at: 0 }, dense, vector.length, scalars);
      }
      const values = outputs[`gradient:rows:${name}`] as Float32Array;
      rows.update(step, batch.rowIds, batch.rowCount, { values, factor }, scalars);
    }
  }

  /** Makes the step's outputs the dense state; the old arrays become the next step's output buffers. */
  private accept(outputs: Readonly<Record<string, TensorData>>): void {
    const swap = (key: string, old: Float32Array): Float32Array => {
      this.spare.set(key, old);
      return outputs[key] as Float32Array;
    };
    for (const [name, { state, slots }] of Object.entries(this.options.trained)) {
      state.vector = swap(`new:vector:${name}`, state.vector);
      slots.forEach((slot, i) => (slots[i] = swap(`new:vector:${name}:${i}`, slot)));
    }
  }

  private spareArray(key: string, length: number): Float32Array {
    const known = this.spare.get(key);
    if (known?.length === length) return known as Float32Array;
    const array = new Float32Array(length);
    this.spare.set(key, array);
    return array;
  }

  private reportOf(
    feeds: Feeds,
    there: DeviceArrays,
    outputs: Readonly<Record<string, TensorData>>,
  ): StepReport {
    const terms: Record<string, number> = {};
    for (const [name, data] of Object.entries(outputs)) {
      if (name.startsWith('term:')) terms[name.slice('term:'.length)] = data[0]!;
    }
    const fed = Object.entries(feeds).flatMap(([name, data]) => (name in there ? [] : [data]));
    const bytesMoved =
      this.options.device.provider === 'cpu' ? 0 : bytesOf(fed) + bytesOf(Object.values(outputs));
    return { terms, loss: outputs.loss![0]!, gradientNorm: outputs.gradient_norm![0]!, bytesMoved };
  }

  private inputs(batch: FeedBatch): Specs {
    const { options } = this;
    return inputSpecs(options, batch, this.onHost ? null : Object.keys(options.optimizer.scalars(1, 1)));
  }

  /** The graph for batches of this shape, which reads these numbers of the whole batch; compiled once. */
  async compileFor(batch: FeedBatch, sums: Feeds = {}): Promise<KeepingGraph> {
    const { options } = this;
    const sumSpecs = Object.keys(sums).map((name) => [name, { shape: [1], dtype: 'float32' }] as const);
    const inputs = { ...this.inputs(batch), ...Object.fromEntries(sumSpecs) };
    const key = JSON.stringify(inputs);
    const known = this.compiled.get(key);
    if (known) return known;
    const { name, device, withoutPasses } = options;
    const record = (tensors: BatchTensors) => recordStep(options, tensors, this.onHost);
    const made = this.compiling.start();
    const graph = this.there
      ? await compileKeeping(
          name,
          inputs,
          record,
          device,
          (output) => output.startsWith('new:'),
          withoutPasses,
        )
      : keepingNothing(await compile(name, inputs, record, device, withoutPasses));
    made();
    this.compiled.set(key, graph);
    return graph;
  }
}

/** Embedding rows of a step: those of `rowIds` up to `rowCount`. */
type BatchRows = Pick<FeedBatch, 'rowIds' | 'rowCount'>;

const bytesOf = (arrays: readonly TensorData[]) =>
  arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);

const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

/** `scalars`: of an optimiser inside the graph, which reads its slots too. */
function inputSpecs(options: StepOptions, batch: FeedBatch, scalars: readonly string[] | null): Specs {
  const specs: Record<string, TensorSpec> = {};
  const model = (key: string, { layout, table }: ModelState) => {
    specs[`vector:${key}`] = { shape: [layout.size], dtype: 'float32' };
    specs[`rows:${key}`] = { shape: [batch.rowIds.length, table.width], dtype: 'float32' };
  };
  for (const [name, { state, slots }] of Object.entries(options.trained)) {
    model(name, state);
    if (scalars) slots.forEach((_, i) => (specs[`vector:${name}:${i}`] = specs[`vector:${name}`]!));
  }
  for (const [name, state] of Object.entries(options.frozen)) model(name, state);
  for (const [name, { spec }] of Object.entries(batch.tensors)) specs[`batch:${name}`] = spec;
  for (const name of scalars ?? []) specs[`scalar:${name}`] = { shape: [], dtype: 'float32' };
  return specs;
}

function recordStep(options: StepOptions, tensors: BatchTensors, onHost: boolean): Record<string, tf.Tensor> {
  const { loss, terms, byModel } = recordGradients(options, tensors);
  const parts = byModel.flatMap(({ name, layout, dense, rows }) => [
    { key: `vector:${name}`, gradient: layout.pack(dense), isDense: true },
    { key: `rows:${name}`, gradient: rows, isDense: false },
  ]);
  const gradientNorm = tf.sqrt(squaredLength(parts.map(({ gradient }) => gradient)));
  const outputs: Record<string, tf.Tensor> = { loss, gradient_norm: gradientNorm };
  for (const [name, { value }] of Object.entries(terms)) outputs[`term:${name}`] = value;
  const scalars = withPrefix(tensors, 'scalar:');
  const clip = (gradient: tf.Tensor) =>
    options.clipNorm === 0
      ? gradient
      : tf.mul(gradient, tf.minimum(tf.div(options.clipNorm, tf.add(gradientNorm, 1e-12)), 1));
  const state = parts.map(({ key, gradient, isDense }) => {
    if (onHost || !isDense) {
      outputs[`gradient:${key}`] = gradient;
      return tensors[key]!;
    }
    const slots = options.optimizer.slots.map((_, i) => tensors[`${key}:${i}`]!);
    const next = options.optimizer.update(tensors[key]!, clip(gradient), slots, scalars);
    outputs[`new:${key}`] = next.parameter;
    next.slots.forEach((slot, i) => (outputs[`new:${key}:${i}`] = slot));
    return next.parameter;
  });
  outputs.state_norm = squaredLength(state);
  return outputs;
}

/** Squared length of all tensors as one vector: finite only where every number is. */
const squaredLength = (tensors: readonly tf.Tensor[]): tf.Tensor =>
  tensors.map((tensor) => tf.sum(tf.square(tensor))).reduce((sum, square) => tf.add(sum, square));
