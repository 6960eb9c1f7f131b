/** The candidates of one request while it runs through the simulated funnel: parallel arrays, reused from request to request. */
import { stageReached } from '../tables.js';

export class CandidateList {
  count = 0;
  readonly item: Int32Array;
  readonly stage: Int8Array;
  /** Bit k set: channel k produced it. */
  readonly channels: Int32Array;
  /** Place within the first channel that produced it, from 1; 0 = not retrieved. */
  readonly retrievalRank: Int32Array;
  readonly prerankScore: Float64Array;
  /** 0 = the pre-ranker never saw it. */
  readonly prerankRank: Int32Array;
  readonly rankScore: Float64Array;
  /** 0 = the ranker never saw it. */
  readonly rankRank: Int32Array;
  /** From 1; 0 = not exposed. */
  readonly position: Int32Array;
  readonly isForced: Uint8Array;
  /** Log-odds of a click at position 1: the truth. */
  readonly logit: Float64Array;
  private readonly slotOf: Int32Array; // [item] place in the list, -1 = not in it

  constructor(capacity: number, items: number) {
    this.item = new Int32Array(capacity);
    this.stage = new Int8Array(capacity);
    this.channels = new Int32Array(capacity);
    this.retrievalRank = new Int32Array(capacity);
    this.prerankScore = new Float64Array(capacity);
    this.prerankRank = new Int32Array(capacity);
    this.rankScore = new Float64Array(capacity);
    this.rankRank = new Int32Array(capacity);
    this.position = new Int32Array(capacity);
    this.isForced = new Uint8Array(capacity);
    this.logit = new Float64Array(capacity);
    this.slotOf = new Int32Array(items).fill(-1);
  }

  clear(): void {
    for (let slot = 0; slot < this.count; slot++) this.slotOf[this.item[slot]!] = -1;
    this.count = 0;
  }

  has(item: number): boolean {
    return this.slotOf[item]! >= 0;
  }

  /** Notes that a channel produced the item; an item that another channel found before stays one candidate. */
  retrieve(item: number, channel: number, rank: number): void {
    const slot = this.has(item) ? this.slotOf[item]! : this.append(item, stageReached.retrieved, rank);
    this.channels[slot]! |= 1 << channel;
  }

  /** Adds an item that a rule forces in: no stage of the funnel has seen it. */
  force(item: number): number {
    const slot = this.append(item, stageReached.exposed, 0);
    this.isForced[slot] = 1;
    return slot;
  }

  /** The slots at `stage`, ordered by `score` descending. */
  ranked(stage: number, score: Float64Array): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.count; slot++) if (this.stage[slot] === stage) slots.push(slot);
    return slots.sort((a, b) => score[b]! - score[a]! || a - b);
  }

  private append(item: number, stage: number, retrievalRank: number): number {
    const slot = this.count++;
    this.slotOf[item] = slot;
    this.item[slot] = item;
    this.stage[slot] = stage;
    this.channels[slot] = 0;
    this.retrievalRank[slot] = retrievalRank;
    this.prerankRank[slot] = 0;
    this.rankRank[slot] = 0;
    this.position[slot] = 0;
    this.isForced[slot] = 0;
    return slot;
  }
}
