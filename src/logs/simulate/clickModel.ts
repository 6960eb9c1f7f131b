/**
 * The truth of the simulated world: how likely a user clicks a candidate.
 *
 *   log-odds = bias + scene + quality_i + <taste_u, taste_i> + dependence · strength · (c / (c + 1) - centre)
 *   c        = sum over the user's last 50 clicks j of decay^j · [group of j = group of i],   j = 0 for the latest
 *
 * The last term is what target attention can see and a pooled user vector cannot: it asks about the behaviours of the
 * *candidate's own* hidden group, and saturates, so that one fresh click says more than the share of a pool does. Interests never
 * enter the truth directly, only by the clicks they cause: all that decides is in the logs, except the noise of a coin toss.
 */
import type { World } from './world.js';

/** Clicks that count; the longest sequence a default pipeline shows its models. */
const memoryLength = 50;

export const clickModel = {
  bias: -2.6,
  /** What the last term is centred at, so that the control world has a like click rate. */
  centre: 0.4,
  /** Log-odds that a much-clicked group adds. */
  strength: 5,
  /** Weight of a click relative to the next newer one. */
  decay: 0.95,
  /** Log-odds that the page adds, by scene. */
  scenes: [0, 0.4, -0.4],
  /** Log-odds lost per position: readers scroll. Not part of the stated truth, which is about position 1. */
  positionCost: 0.04,
} as const;

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** The latest clicks of every user, as a ring per user. */
export class ClickMemory {
  private readonly items: Int32Array;
  private readonly counts: Int32Array;

  constructor(users: number) {
    this.items = new Int32Array(users * memoryLength);
    this.counts = new Int32Array(users);
  }

  add(user: number, item: number): void {
    this.items[user * memoryLength + (this.counts[user]! % memoryLength)] = item;
    this.counts[user]!++;
  }

  /** Clicks remembered, at most 50. */
  length(user: number): number {
    return Math.min(this.counts[user]!, memoryLength);
  }

  /** The item clicked `age` clicks ago; 0 is the latest. */
  item(user: number, age: number): number {
    return this.items[user * memoryLength + ((this.counts[user]! - 1 - age) % memoryLength)]!;
  }
}

/** c of every group for one user; `counts` is overwritten. */
export function groupCounts(world: World, memory: ClickMemory, user: number, counts: Float64Array): void {
  counts.fill(0);
  let weight = 1;
  for (let age = 0; age < memory.length(user); age++) {
    counts[world.group[memory.item(user, age)]!]! += weight;
    weight *= clickModel.decay;
  }
}

/** Log-odds of a click at position 1. */
export function clickLogit(
  world: World,
  dependence: number,
  scene: number,
  user: number,
  item: number,
  groupCount: number,
): number {
  return (
    clickModel.bias +
    clickModel.scenes[scene]! +
    world.quality[item]! +
    tasteMatch(world, user, item, world.tasteWidth) +
    dependence * clickModel.strength * (groupCount / (groupCount + 1) - clickModel.centre)
  );
}

/** <taste_u, taste_i> over the first `width` directions. */
export function tasteMatch(world: World, user: number, item: number, width: number): number {
  let sum = 0;
  for (let k = 0; k < width; k++) {
    sum += world.userTaste[user * world.tasteWidth + k]! * world.itemTaste[item * world.tasteWidth + k]!;
  }
  return sum;
}
