/**
 * Dense parameters and the optimiser's arrays in the device's memory between steps, so that of a training only batches and embedding
 * rows cross the bus. The host's arrays are those of an earlier step meanwhile; whoever reads or changes them asks for them first
 * (`toHost`), and the next step takes them up from there.
 */
import type { Device } from './device.js';
import type { TrainedModel } from '../gradients.js';
import { DeviceCopies, type DeviceArray, type DeviceArrays } from './keepingGraph.js';
import type { ModelState } from '../state.js';

export class DeviceState {
  /** What the steps have left, by the names of their inputs; nothing before the first step and after `toHost`. */
  private left: Record<string, DeviceArray> = {};
  /** Parameters of frozen models. */
  private fixed: Record<string, DeviceArray> | null = null;
  private readonly copies: DeviceCopies;

  constructor(
    private readonly trained: Readonly<Record<string, TrainedModel>>,
    private readonly frozen: Readonly<Record<string, ModelState>>,
    device: Device,
  ) {
    this.copies = new DeviceCopies(device);
  }

  /** What a step need not be fed, by the names of its inputs. */
  async arrays(): Promise<DeviceArrays> {
    if (!this.fixed) {
      this.fixed = {};
      for (const [name, { vector }] of Object.entries(this.frozen)) {
        this.fixed[`vector:${name}`] = await this.copies.toDevice(vector);
      }
    }
    return { ...this.fixed, ...this.left };
  }

  /** Takes what a step left, `new:<input>` each, in place of what it read. */
  accept(kept: DeviceArrays): void {
    this.drop();
    for (const [name, array] of Object.entries(kept)) this.left[name.replace(/^new:/, '')] = array;
  }

  /** Brings the host's arrays up to date; the device lets go of its own. */
  async toHost(): Promise<void> {
    if (Object.keys(this.left).length === 0) return;
    for (const [name, { state, slots }] of Object.entries(this.trained)) {
      await this.copies.toHost(this.left[`vector:${name}`]!, state.vector);
      for (const [i, slot] of slots.entries())
        await this.copies.toHost(this.left[`vector:${name}:${i}`]!, slot);
    }
    this.drop();
  }

  async release(): Promise<void> {
    this.drop();
    for (const array of Object.values(this.fixed ?? {})) array.dispose();
    this.fixed = null;
    await this.copies.release();
  }

  private drop(): void {
    for (const array of Object.values(this.left)) array.dispose();
    this.left = {};
  }
}
