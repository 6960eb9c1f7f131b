/**
 * What of a training stays in the device's memory between steps: dense parameters and the optimiser's arrays, and embedding tables
 * where they fit (deviceTables.ts). Then only batches cross the bus. The host's arrays are those of an earlier step meanwhile; whoever
 * reads or changes them asks for them first (`toHost`). The next step takes dense arrays up from there; tables are read only.
 *
 * Of dense arrays there are two of each, and steps write the one beside the other.
 */
import type { DeviceArray, DeviceArrays, There } from '../compiledGraph.js';
import type { StepOptions } from '../gradients.js';
import { DeviceCopies, dispose } from './deviceCopies.js';
import { DeviceTables } from './deviceTables.js';

export class DeviceState {
  readonly tables: DeviceTables | null;
  private readonly copies: DeviceCopies;
  /** What steps have left, by the names of their inputs; nothing before the first step and after `toHost`. */
  private left: Record<string, DeviceArray> = {};
  /** What the next step writes to, by the names of its inputs too. */
  private spare: Record<string, DeviceArray> = {};
  /** Dense parameters of frozen models. */
  private fixed: Record<string, DeviceArray> | null = null;

  constructor(private readonly options: StepOptions) {
    this.copies = new DeviceCopies(options.device);
    this.tables = DeviceTables.of(options, this.copies);
  }

  /** What a step need not be fed and what it does not give back. */
  async there(): Promise<There> {
    this.fixed ??= await this.uploadFixed();
    if (Object.keys(this.left).length === 0) await this.upload();
    const tables = this.tables && { read: await this.tables.read(), write: this.tables.write };
    const spare = Object.entries(this.spare).map(([input, array]) => [`new:${input}`, array] as const);
    return {
      read: { ...this.fixed, ...this.left, ...tables?.read },
      write: { ...Object.fromEntries(spare), ...tables?.write },
    };
  }

  /** What the last step wrote is the state. */
  accept(): void {
    [this.left, this.spare] = [this.spare, this.left];
  }

  /** Brings the host's arrays up to date; the device lets go of its own dense ones. */
  async toHost(): Promise<void> {
    await this.tables?.toHost();
    if (Object.keys(this.left).length === 0) return;
    for (const [name, { state, slots }] of Object.entries(this.options.trained)) {
      await this.copies.toHost(this.left[`vector:${name}`]!, state.vector);
      for (const [i, slot] of slots.entries())
        await this.copies.toHost(this.left[`vector:${name}:${i}`]!, slot);
    }
    this.drop();
  }

  /** Bytes of state that crossed since this was asked last. */
  takeMoved(): number {
    return this.copies.takeMoved();
  }

  async release(): Promise<void> {
    this.drop();
    dispose(this.fixed ?? {});
    this.fixed = null;
    this.tables?.release();
    await this.copies.release();
  }

  private async uploadFixed(): Promise<Record<string, DeviceArray>> {
    const fixed: Record<string, DeviceArray> = {};
    for (const [name, { vector }] of Object.entries(this.options.frozen))
      fixed[`vector:${name}`] = await this.copies.toDevice(vector, [vector.length]);
    return fixed;
  }

  private async upload(): Promise<void> {
    const add = async (input: string, values: Float32Array) => {
      const array = await this.copies.toDevice(values, [values.length]);
      this.left[input] = array;
      this.spare[input] = await this.copies.another(array);
    };
    for (const [name, { state, slots }] of Object.entries(this.options.trained)) {
      await add(`vector:${name}`, state.vector);
      for (const [i, slot] of slots.entries()) await add(`vector:${name}:${i}`, slot);
    }
  }

  private drop(): void {
    const arrays: DeviceArrays[] = [this.left, this.spare];
    arrays.forEach(dispose);
    this.left = {};
    this.spare = {};
  }
}
