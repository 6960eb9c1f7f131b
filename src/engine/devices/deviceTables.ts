/**
 * Embedding tables with the optimiser's slots in the device's memory between steps, so that of a table only row ids cross the bus. A
 * step looks its rows up, moves them and puts them back where they lay (tables/recordedRows.ts): nothing of the size of a table is
 * computed or copied. What rows miss while no batch names them is kept as in host memory, and made up for by the same numbers.
 *
 * The host's tables are those of an earlier step meanwhile; `toHost` brings them up to date, and the device goes on from its own.
 */
import type { DeviceArray, DeviceArrays, Feeds, Specs } from '../compiledGraph.js';
import type { FeedBatch, StepOptions, TrainedModel } from '../gradients.js';
import { MemoryTable, type EmbeddingTable } from '../tables/embeddings.js';
import type { StepTables } from '../recordStep.js';
import { missedBy } from '../tables/missed.js';
import { idsInput, missedInput, tableInput } from '../tables/recordedRows.js';
import { MemoryRows, RestingRows } from '../tables/rowStore.js';
import { dispose, type DeviceCopies } from './deviceCopies.js';

type TableOptions = Pick<
  StepOptions,
  'trained' | 'frozen' | 'optimizer' | 'learningRate' | 'deviceTableBytes'
>;

export class DeviceTables implements StepTables {
  /** Tables and slots by the names of their inputs; nothing before the first step. */
  private arrays: Record<string, DeviceArray> | null = null;
  /** Whether the host's tables are those of the last step. */
  private isOnHost = true;

  private constructor(
    private readonly options: TableOptions,
    private readonly copies: DeviceCopies,
    /** Rows of every table, without the row for padding. */
    private readonly rows: number,
    private readonly moving: Readonly<Record<string, MovingTable>>,
    private readonly fixed: Readonly<Record<string, MemoryTable>>,
  ) {}

  /** The tables of a training, where all lie in host memory and fit the device's; null where they do not. */
  static of(options: TableOptions, copies: DeviceCopies): DeviceTables | null {
    const { trained, frozen, optimizer, deviceTableBytes = 0 } = options;
    const moving: Record<string, MovingTable> = {};
    const fixed: Record<string, MemoryTable> = {};
    const tables: EmbeddingTable[] = [];
    let bytes = 0;
    const add = (table: EmbeddingTable, arrays: number) => {
      tables.push(table);
      bytes += 4 * arrays * (table.rows + 1) * table.width;
      return table instanceof MemoryTable ? table : null;
    };
    for (const [name, model] of Object.entries(trained)) {
      const { store } = model.rows;
      if (store instanceof MemoryRows) {
        moving[name] = { ...model, store, since: new Int32Array(store.since.length) };
        add(store.table, 1 + optimizer.slots.length);
        continue;
      }
      const resting = store instanceof RestingRows && add(store.table, 1);
      if (!resting) return null;
      fixed[name] = resting;
    }
    for (const [name, { table }] of Object.entries(frozen)) {
      const inMemory = add(table, 1);
      if (!inMemory) return null;
      fixed[name] = inMemory;
    }
    const rows = tables[0]?.rows ?? 0;
    if (bytes > deviceTableBytes || tables.some((table) => table.rows !== rows)) return null;
    return new DeviceTables(options, copies, rows, moving, fixed);
  }

  /** Whether a model's rows are moved by the step. */
  moves(model: string): boolean {
    return model in this.moving;
  }

  /** What a step reads and need not be fed. */
  async read(): Promise<DeviceArrays> {
    this.arrays ??= await this.upload();
    return this.arrays;
  }

  /** What a step writes, `new:<input>` each: the arrays that it reads. */
  get write(): DeviceArrays {
    const written = Object.entries(this.moving).flatMap(([name, { slots }]) =>
      [tableInput(name), ...slots.map((_, i) => tableInput(name, i))].map(
        (input) => [`new:${input}`, this.arrays![input]!] as const,
      ),
    );
    return Object.fromEntries(written);
  }

  /** The inputs of a step on this batch in place of its gathered rows. */
  specs({ rowIds }: FeedBatch): Specs {
    const { optimizer } = this.options;
    const specs: Record<string, Specs[string]> = {
      [idsInput]: { shape: [rowIds.length], dtype: 'int32' },
    };
    const add = (input: string, { rows, width }: EmbeddingTable) => {
      specs[input] = { shape: [rows + 1, width], dtype: 'float32' };
    };
    for (const [name, table] of Object.entries(this.fixed)) add(tableInput(name), table);
    for (const [name, { store, slots }] of Object.entries(this.moving)) {
      add(tableInput(name), store.table);
      for (const i of slots.keys()) add(tableInput(name, i), store.table);
      if (optimizer.drift)
        specs[missedInput(name)] = { shape: [rowIds.length, 2 + slots.length], dtype: 'float32' };
    }
    return specs;
  }

  /** The ids of the batch's rows, and what these have missed before `step`; after `read`, which takes up since when rows hold. */
  feeds({ rowIds, rowCount }: FeedBatch, step: number): Feeds {
    const ids = rowIds.slice().fill(this.rows, rowCount);
    const feeds: Record<string, Feeds[string]> = { [idsInput]: ids };
    const { optimizer, learningRate } = this.options;
    if (!optimizer.drift) return feeds;
    for (const [name, { since }] of Object.entries(this.moving))
      feeds[missedInput(name)] = missedBy(optimizer, learningRate, ids, since, step - 1);
    return feeds;
  }

  /** The device's rows of this batch are those after `step` now. */
  accept({ rowIds, rowCount }: FeedBatch, step: number): void {
    for (const { since } of Object.values(this.moving))
      for (let i = 0; i < rowCount; i++) since[rowIds[i]!] = step;
    this.isOnHost = false;
  }

  /** Brings the host's tables up to date. */
  async toHost(): Promise<void> {
    if (this.isOnHost) return;
    for (const [name, { store, slots, since }] of Object.entries(this.moving)) {
      await this.download(tableInput(name), store.values);
      for (const i of slots.keys()) await this.download(tableInput(name, i), store.slots[i]!);
      store.since.set(since);
    }
    this.isOnHost = true;
  }

  release(): void {
    dispose(this.arrays ?? {});
    this.arrays = null;
  }

  private async upload(): Promise<Record<string, DeviceArray>> {
    const arrays: Record<string, DeviceArray> = {};
    const add = async (input: string, values: Float32Array, width: number, padding = 0) => {
      const padded = new Float32Array((this.rows + 1) * width);
      padded.set(values);
      padded.fill(padding, values.length);
      arrays[input] = await this.copies.toDevice(padded, [this.rows + 1, width]);
    };
    for (const [name, { values, width }] of Object.entries(this.fixed))
      await add(tableInput(name), values, width);
    for (const [name, { store, slots, slotStarts, since }] of Object.entries(this.moving)) {
      const { width } = store.table;
      since.set(store.since);
      await add(tableInput(name), store.values, width);
      for (const i of slots.keys()) await add(tableInput(name, i), store.slots[i]!, width, slotStarts[i]);
    }
    return arrays;
  }

  private async download(input: string, into: Float32Array): Promise<void> {
    const array = this.arrays![input]!;
    const padded = new Float32Array(array.size);
    await this.copies.toHost(array, padded);
    into.set(padded.subarray(0, into.length));
  }
}

/** A model whose table's rows are moved. */
type MovingTable = Pick<TrainedModel, 'slots' | 'slotStarts'> & {
  readonly store: MemoryRows;
  /** The step after which each row on the device holds, as in the store; the store's own goes with the host's rows. */
  readonly since: Int32Array;
};
