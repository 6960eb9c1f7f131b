/**
 * Embedding rows of a run of several steps (severalSteps.ts): the rows that its batches name, each once, as small tables that go to the
 * device and come back changed. Steps look rows up in them and put them back as in whole tables (recordedRows.ts).
 */
import { Distinct } from '../distinct.js';
import type { Feeds, Specs, TensorData } from '../compiledGraph.js';
import type { FeedBatch, StepOptions, TrainedModel } from '../gradients.js';
import type { StepTables } from '../recordStep.js';
import type { EmbeddingTable } from './embeddings.js';
import { missedBy } from './missed.js';
import { idsInput, missedInput, tableInput } from './recordedRows.js';
import { RestingRows } from './rowStore.js';

/** Room in the tables beyond what a run has needed: they are part of the graph's shape. */
const room = 1.25;

export class RunTables implements StepTables {
  private readonly moving: Readonly<Record<string, TrainedModel>>;
  private readonly fixed: Readonly<Record<string, EmbeddingTable>>;
  private readonly distinct = new Distinct();
  /** Rows of the tables, without the one for padding, which is the last. */
  private capacity = 0;
  /** Rows of each batch. */
  private height = 0;
  private batches: readonly FeedBatch[] = [];
  private ids = new Int32Array(0);
  /** By model the step after which each row holds when the run is over, [row]. */
  private since: Readonly<Record<string, Int32Array>> = {};

  constructor(private readonly options: StepOptions) {
    const models = Object.entries(options.trained);
    const rests = ({ rows }: TrainedModel) => rows.store instanceof RestingRows;
    this.moving = Object.fromEntries(models.filter(([, model]) => !rests(model)));
    const resting = models.filter(([, model]) => rests(model));
    this.fixed = Object.fromEntries([
      ...resting.map(([name, { rows }]) => [name, rows.store.table] as const),
      ...Object.entries(options.frozen).map(([name, { table }]) => [name, table] as const),
    ]);
  }

  moves(model: string): boolean {
    return model in this.moving;
  }

  /** Takes up the rows of the run's batches. */
  begin(batches: readonly FeedBatch[]): void {
    const { distinct } = this;
    distinct.clear();
    for (const { rowIds, rowCount } of batches) {
      for (let i = 0; i < rowCount; i++) distinct.place(rowIds[i]!);
      this.height = Math.max(this.height, rowIds.length);
    }
    this.batches = batches;
    this.ids = Int32Array.from(distinct.list());
    if (this.ids.length > this.capacity) this.capacity = 64 * Math.ceil((room * this.ids.length) / 64);
  }

  /** The inputs of one step of the run. */
  specs(): Specs {
    const { optimizer } = this.options;
    const specs: Record<string, Specs[string]> = { [idsInput]: { shape: [this.height], dtype: 'int32' } };
    const table = (width: number) => ({ shape: [this.capacity + 1, width], dtype: 'float32' as const });
    for (const [name, { width }] of Object.entries(this.fixed)) specs[tableInput(name)] = table(width);
    for (const [name, { rows, slots }] of Object.entries(this.moving)) {
      specs[tableInput(name)] = table(rows.width);
      for (const i of slots.keys()) specs[tableInput(name, i)] = table(rows.width);
      if (optimizer.drift)
        specs[missedInput(name)] = { shape: [this.height, 2 + slots.length], dtype: 'float32' };
    }
    return specs;
  }

  /** What the run is fed, whose first step has the number `first`: the tables, and of each step where its rows are and what they have missed. */
  feeds(first: number): Feeds {
    const { ids, capacity } = this;
    const feeds: Record<string, TensorData> = {};
    const since: Record<string, Int32Array> = {};
    const numbers = (width: number) => new Float32Array((capacity + 1) * width);
    for (const [name, table] of Object.entries(this.fixed)) {
      const values = numbers(table.width);
      table.gather(ids, ids.length, values);
      feeds[tableInput(name)] = values;
    }
    for (const [name, { rows, slotStarts }] of Object.entries(this.moving)) {
      const values = numbers(rows.width);
      const slots = slotStarts.map((start) => numbers(rows.width).fill(start));
      since[name] = new Int32Array(capacity + 1);
      rows.read(ids, { values, slots, since: since[name] });
      feeds[tableInput(name)] = values;
      slots.forEach((slot, i) => (feeds[tableInput(name, i)] = slot));
    }
    this.since = since;
    return { ...feeds, ...this.stepFeeds(first) };
  }

  /** Puts the rows back as the run has left them. */
  accept(outputs: Readonly<Record<string, TensorData>>): void {
    const output = (input: string) => outputs[`new:${input}`] as Float32Array;
    for (const [name, { rows, slots }] of Object.entries(this.moving)) {
      rows.write(this.ids, {
        values: output(tableInput(name)),
        slots: slots.map((_, i) => output(tableInput(name, i))),
        since: this.since[name]!,
      });
    }
  }

  private stepFeeds(first: number): Feeds {
    const { height, batches } = this;
    const { optimizer, learningRate } = this.options;
    const places = new Int32Array(batches.length * height).fill(this.capacity);
    const models = Object.keys(this.moving);
    const numbers = height * (2 + optimizer.slots.length);
    const missed = Object.fromEntries(
      models.map((name) => [name, new Float32Array(batches.length * numbers)] as const),
    );
    batches.forEach(({ rowIds, rowCount }, i) => {
      const here = places.subarray(i * height, (i + 1) * height);
      for (let row = 0; row < rowCount; row++) here[row] = this.distinct.place(rowIds[row]!);
      for (const name of models) {
        const since = this.since[name]!;
        missed[name]!.set(missedBy(optimizer, learningRate, here, since, first + i - 1), i * numbers);
        for (let row = 0; row < rowCount; row++) since[here[row]!] = first + i;
      }
    });
    const inputs = optimizer.drift
      ? Object.fromEntries(models.map((name) => [missedInput(name), missed[name]!] as const))
      : {};
    return { [idsInput]: places, ...inputs };
  }
}
