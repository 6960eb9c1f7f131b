/**
 * A training step: forward and backward as one compiled graph, then the optimiser over the dense parameters and the embedding rows
 * that the batch touches. On the processor the optimiser is a loop over host memory: the graph gives gradients, and moments never pass
 * through it. It can also be part of the graph, which then reads the old state and writes the new one beside it. Either way nothing is
 * written before the step is known to be finite, so that the state before it is still there to be looked at.
 */
import * as tf from '@tensorflow/tfjs';
import { compile, type CompiledGraph, type Feeds, type Specs, type TensorData } from './compile.js';
import {
  recordGradients,
  withPrefix,
  type BatchTensors,
  type FeedBatch,
  type StepOptions,
} from './gradients.js';
import { reportNonFinite } from './nonFinite.js';
import type { ModelState } from './state.js';
import type { TensorSpec } from './trace/index.js';

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
  private readonly compiled = new Map<string, CompiledGraph>();
  /** The arrays of the step before last, written by the next step. */
  private readonly spare = new Map<string, TensorData>();

  constructor(private readonly options: StepOptions) {}

  /** Takes one step. `step` counts from 1 over the whole training. */
  async take(batch: FeedBatch, step: number): Promise<StepReport> {
    const { options } = this;
    const scalars = options.optimizer.scalars(step, options.learningRate(step));
    const graph = await this.compileFor(batch);
    for (const { rows } of Object.values(options.trained))
      rows.bringUpTo(step - 1, batch.rowIds, batch.rowCount);
    const feeds: Record<string, TensorData> = { ...this.modelFeeds(batch) };
    for (const [name, { data }] of Object.entries(batch.tensors)) feeds[`batch:${name}`] = data;
    for (const [name, value] of Object.entries(scalars)) feeds[`scalar:${name}`] = Float32Array.of(value);

    const into: Record<string, TensorData> = {};
    for (const { name, type, shape } of graph.graph.outputs) {
      const key = name.replace(/^out:/, '');
      if (type === 'float32' && /^(new|gradient):/.test(key)) into[key] = this.spareArray(key, size(shape));
    }
    const outputs = await graph.run(feeds, into);
    const report = this.reportOf(feeds, outputs);
    const finite =
      Number.isFinite(report.loss) &&
      Number.isFinite(report.gradientNorm) &&
      Number.isFinite(outputs.state_norm![0]);
    if (!finite) {
      await reportNonFinite({ ...options, step, batch, feeds, outputs });
    }
    if (this.onHost) this.update(step, batch, outputs, scalars, report.gradientNorm);
    else this.accept(step, batch, outputs);
    return report;
  }

  async release(): Promise<void> {
    for (const graph of this.compiled.values()) await graph.release();
    this.compiled.clear();
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
    for (const [name, { state, slots, rows }] of Object.entries(this.options.trained)) {
      model(name, state);
      if (this.onHost) continue;
      slots.forEach((slot, i) => {
        feeds[`vector:${name}:${i}`] = slot;
        rows.gatherSlot(i, rowIds, rowIds.length, gathered(`rows:${name}:${i}`, rows.width));
      });
    }
    for (const [name, state] of Object.entries(this.options.frozen)) model(name, state);
    return feeds;
  }

  /** Moves parameters and rows by the step's gradients, in place. */
  private update(
    step: number,
    batch: FeedBatch,
    outputs: Readonly<Record<string, TensorData>>,
    scalars: Readonly<Record<string, number>>,
    gradientNorm: number,
  ): void {
    const { optimizer, clipNorm, trained } = this.options;
    const factor = clipNorm === 0 ? 1 : Math.min(1, clipNorm / (gradientNorm + 1e-12));
    for (const [name, { state, slots, rows }] of Object.entries(trained)) {
      const dense = { values: outputs[`gradient:vector:${name}`] as Float32Array, from: 0, factor };
      optimizer.updateInPlace({ parameter: state.vector, slots, at: 0 }, dense, state.vector.length, scalars);
      const values = outputs[`gradient:rows:${name}`] as Float32Array;
      rows.update(step, batch.rowIds, batch.rowCount, { values, factor }, scalars);
    }
  }

  private get onHost(): boolean {
    return this.options.optimizerOn !== 'graph';
  }

  /** Makes the step's outputs the state; the old arrays become the next step's output buffers. */
  private accept(step: number, batch: FeedBatch, outputs: Readonly<Record<string, TensorData>>): void {
    const swap = (key: string, old: Float32Array): Float32Array => {
      this.spare.set(key, old);
      return outputs[key] as Float32Array;
    };
    for (const [name, { state, slots, rows }] of Object.entries(this.options.trained)) {
      state.vector = swap(`new:vector:${name}`, state.vector);
      slots.forEach((slot, i) => (slots[i] = swap(`new:vector:${name}:${i}`, slot)));
      const rowSlots = slots.map((_, i) => outputs[`new:rows:${name}:${i}`] as Float32Array);
      const newRows = outputs[`new:rows:${name}`] as Float32Array;
      rows.scatter(step, batch.rowIds, batch.rowCount, newRows, rowSlots);
    }
  }

  private spareArray(key: string, length: number): Float32Array {
    const known = this.spare.get(key);
    if (known?.length === length) return known as Float32Array;
    const array = new Float32Array(length);
    this.spare.set(key, array);
    return array;
  }

  private reportOf(feeds: Feeds, outputs: Readonly<Record<string, TensorData>>): StepReport {
    const terms: Record<string, number> = {};
    for (const [name, data] of Object.entries(outputs)) {
      if (name.startsWith('term:')) terms[name.slice('term:'.length)] = data[0]!;
    }
    const bytesMoved = this.options.device.provider === 'cpu' ? 0 : bytesOf(feeds) + bytesOf(outputs);
    return { terms, loss: outputs.loss![0]!, gradientNorm: outputs.gradient_norm![0]!, bytesMoved };
  }

  /** The graph for batches of this shape; compiled once. */
  async compileFor(batch: FeedBatch): Promise<CompiledGraph> {
    const { options } = this;
    const scalars = this.onHost ? null : Object.keys(options.optimizer.scalars(1, 1));
    const inputs = inputSpecs(options, batch, scalars);
    const key = JSON.stringify(inputs);
    const known = this.compiled.get(key);
    if (known) return known;
    const graph = await compile(
      options.name,
      inputs,
      (tensors) => recordStep(options, tensors, this.onHost),
      options.device,
      options.withoutPasses,
    );
    this.compiled.set(key, graph);
    return graph;
  }
}

const bytesOf = (arrays: Feeds) => Object.values(arrays).reduce((sum, { byteLength }) => sum + byteLength, 0);

const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

/** `scalars`: of an optimiser inside the graph, which reads its slots too. */
function inputSpecs(options: StepOptions, batch: FeedBatch, scalars: readonly string[] | null): Specs {
  const specs: Record<string, TensorSpec> = {};
  const model = (key: string, state: ModelState, suffix = '') => {
    specs[`vector:${key}${suffix}`] = { shape: [state.layout.size], dtype: 'float32' };
    specs[`rows:${key}${suffix}`] = { shape: [batch.rowIds.length, state.table.width], dtype: 'float32' };
  };
  for (const [name, { state, slots }] of Object.entries(options.trained)) {
    model(name, state);
    if (!scalars) continue;
    slots.forEach((_, i) => {
      model(name, state, `:${i}`);
    });
  }
  for (const [name, state] of Object.entries(options.frozen)) model(name, state);
  for (const [name, { spec }] of Object.entries(batch.tensors)) specs[`batch:${name}`] = spec;
  for (const name of scalars ?? []) specs[`scalar:${name}`] = { shape: [], dtype: 'float32' };
  return specs;
}

function recordStep(options: StepOptions, tensors: BatchTensors, onHost: boolean): Record<string, tf.Tensor> {
  const { loss, terms, byModel } = recordGradients(options, tensors);
  const parts = byModel.flatMap(({ name, layout, dense, rows }) => [
    { key: `vector:${name}`, gradient: layout.pack(dense) },
    { key: `rows:${name}`, gradient: rows },
  ]);
  const gradientNorm = tf.sqrt(squaredLength(parts.map(({ gradient }) => gradient)));
  const outputs: Record<string, tf.Tensor> = { loss, gradient_norm: gradientNorm };
  for (const [name, { value }] of Object.entries(terms)) outputs[`term:${name}`] = value;
  if (onHost) {
    for (const { key, gradient } of parts) outputs[`gradient:${key}`] = gradient;
    outputs.state_norm = squaredLength(parts.map(({ key }) => tensors[key]!));
    return outputs;
  }
  const scalars = withPrefix(tensors, 'scalar:');
  const clip = (gradient: tf.Tensor) =>
    options.clipNorm === 0
      ? gradient
      : tf.mul(gradient, tf.minimum(tf.div(options.clipNorm, tf.add(gradientNorm, 1e-12)), 1));
  const parameters = parts.map(({ key, gradient }) => {
    const slots = options.optimizer.slots.map((_, i) => tensors[`${key}:${i}`]!);
    const next = options.optimizer.update(tensors[key]!, clip(gradient), slots, scalars);
    outputs[`new:${key}`] = next.parameter;
    next.slots.forEach((slot, i) => (outputs[`new:${key}:${i}`] = slot));
    return next.parameter;
  });
  outputs.state_norm = squaredLength(parameters);
  return outputs;
}

/** Squared length of all tensors as one vector: finite only where every number is. */
const squaredLength = (tensors: readonly tf.Tensor[]): tf.Tensor =>
  tensors.map((tensor) => tf.sum(tf.square(tensor))).reduce((sum, square) => tf.add(sum, square));
