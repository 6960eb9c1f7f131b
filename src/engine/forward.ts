/** A function of models and a batch without gradients: scores for evaluation, item vectors, codes. Compiled once per batch shape. */
import type { tf } from './tf.js';
import { internal } from '../errors.js';
import { letGo } from '../memory.js';
import { isOfShape, shapeOf, type BatchShape } from './batchShape.js';
import { BusyClock } from './busyClock.js';
import { compile, type CompiledGraph, type TensorData } from './compile.js';
import type { Device } from './devices/device.js';
import type { ModelState } from './state.js';
import {
  batchInput,
  withPrefix,
  type BatchTensors,
  type FeedBatch,
  type TracedModel,
  type TracedModels,
} from './gradients.js';
import { ReusedArrays } from './reusedArrays.js';
import { bytesOf } from './stepReport.js';
import type { TensorSpec } from './trace/index.js';

export type ForwardFunction = (
  models: TracedModels,
  batch: BatchTensors,
) => Readonly<Record<string, tf.Tensor>>;

/** Compiled graphs of one function by batch shape; `over` gives it the models to run with. */
export class Forward {
  /** Time of the graphs and of gathering embedding rows. */
  readonly busy = new BusyClock();
  readonly compiling = new BusyClock();
  private readonly compiled = new Map<string, CompiledGraph>();
  private readonly spare = new ReusedArrays();
  private latest: {
    readonly models: Readonly<Record<string, ModelState>>;
    readonly shape: BatchShape;
    readonly graph: CompiledGraph;
  } | null = null;

  constructor(
    private readonly name: string,
    private readonly fn: ForwardFunction,
    private readonly device: Device,
  ) {}

  /** The function over these models. Others of the same shapes may follow: nothing is compiled again. */
  over(
    models: Readonly<Record<string, ModelState>>,
  ): (batch: FeedBatch) => Promise<Record<string, TensorData>> {
    return async (batch) => {
      const graph = await this.graphFor(models, batch);
      const ran = this.busy.start();
      const feeds: Record<string, TensorData> = {};
      for (const [name, { vector, table }] of Object.entries(models)) {
        const rows = this.spare.float(name, batch.rowIds.length * table.width);
        table.gather(batch.rowIds, batch.rowIds.length, rows);
        feeds[`vector:${name}`] = vector;
        feeds[`rows:${name}`] = rows;
      }
      for (const [name, { data }] of Object.entries(batch.tensors)) feeds[batchInput(name)] = data;
      const outputs = await graph.run(feeds);
      ran();
      letGo(bytesOf(Object.values(outputs)));
      return outputs;
    };
  }

  async release(): Promise<void> {
    for (const graph of this.compiled.values()) await graph.release();
    this.compiled.clear();
    this.latest = null;
  }

  private async graphFor(
    models: Readonly<Record<string, ModelState>>,
    batch: FeedBatch,
  ): Promise<CompiledGraph> {
    const { latest } = this;
    if (latest?.models === models && isOfShape(batch, latest.shape)) return latest.graph;
    const graph = await this.graphOf(models, batch);
    this.latest = { models, shape: shapeOf(batch), graph };
    return graph;
  }

  private async graphOf(
    models: Readonly<Record<string, ModelState>>,
    batch: FeedBatch,
  ): Promise<CompiledGraph> {
    const specs: Record<string, TensorSpec> = {};
    for (const [name, { layout, table }] of Object.entries(models)) {
      specs[`vector:${name}`] = { shape: [layout.size], dtype: 'float32' };
      specs[`rows:${name}`] = { shape: [batch.rowIds.length, table.width], dtype: 'float32' };
    }
    for (const [name, { spec }] of Object.entries(batch.tensors)) specs[batchInput(name)] = spec;
    const key = JSON.stringify(specs);
    const known = this.compiled.get(key);
    if (known) return known;
    const made = this.compiling.start();
    const record = (tensors: BatchTensors) => this.record(models, tensors);
    const graph = await compile(this.name, specs, record, this.device, { isRare: this.compiled.size > 0 });
    made();
    this.compiled.set(key, graph);
    return graph;
  }

  private record(
    states: Readonly<Record<string, ModelState>>,
    tensors: BatchTensors,
  ): Readonly<Record<string, tf.Tensor>> {
    const models: Record<string, TracedModel> = {};
    for (const [name, { layout }] of Object.entries(states)) {
      const vector = tensors[`vector:${name}`] ?? internal(`no input vector:${name}`);
      models[name] = { parameters: layout.unpack(vector), rows: tensors[`rows:${name}`] as tf.Tensor2D };
    }
    return this.fn(models, withPrefix(tensors, 'batch:'));
  }
}
