/**
 * Who does what when: on every day each user opens some requests and leaves some clicks elsewhere (search, other pages), which
 * follow their interests. Interests drift; the clicks elsewhere are how a new one enters the logs.
 */
import { RandomStream } from '../../engine/random.js';
import { dayMs } from '../days.js';
import { isValidAt, warmUpDays, type SimulationConfig, type World } from './world.js';

/** A user's actions of a day fall into distinct quarters of an hour between 8:00 and 24:00, so that one is over before the next. */
const slotMs = 15 * 60_000;
const slotsPerDay = 64;
const firstSlotMs = 8 * 3_600_000;
/** An action starts in the first five minutes of its slot; its clicks must be over before the slot is. */
const startWithinMs = 5 * 60_000;
export const clicksWithinMs = slotMs - startWithinMs;

const meanHistory = 20;
const meanClicksElsewhere = 1.5;
const maxInterests = 4;

/** Actions in the order of time. */
export interface Actions {
  readonly count: number;
  readonly atMs: Float64Array;
  readonly user: Int32Array;
  /** The item clicked elsewhere, or -1: the action is a request. */
  readonly item: Int32Array;
}

export class Traffic {
  private readonly interests: Int32Array; // [user · slot], -1 where the user has fewer
  private readonly drift: RandomStream;
  private readonly random: RandomStream;

  constructor(
    private readonly world: World,
    private readonly config: SimulationConfig,
    seed: number,
  ) {
    const random = RandomStream.of(seed, 'simulate/interests');
    this.drift = RandomStream.of(seed, 'simulate/drift');
    this.random = RandomStream.of(seed, 'simulate/traffic');
    this.interests = new Int32Array(world.users * maxInterests).fill(-1);
    for (let user = 0; user < world.users; user++) {
      const count = 2 + random.below(maxInterests - 1);
      for (let k = 0; k < count; k++) this.interests[user * maxInterests + k] = random.below(world.groups);
    }
  }

  /** Clicks before the first day. A few users have none: they are the cold ones. */
  history(): Actions {
    const { world, random } = this;
    const times: number[] = [];
    const users: number[] = [];
    for (let user = 0; user < world.users; user++) {
      if (random.uniform() < 0.03) continue;
      const slots = this.distinctSlots(random.poisson(meanHistory), warmUpDays * slotsPerDay);
      for (const slot of slots) {
        const day = Math.floor(slot / slotsPerDay) - warmUpDays;
        times.push(this.timeOf(day, slot % slotsPerDay));
        users.push(user);
      }
    }
    return this.inOrder(times, users, times.length);
  }

  /** The actions of one day, from 0. Call once per day, in order. */
  day(day: number): Actions {
    const { world, random } = this;
    this.changeInterests();
    const requestTimes: number[] = [];
    const requestUsers: number[] = [];
    const clickTimes: number[] = [];
    const clickUsers: number[] = [];
    for (let user = 0; user < world.users; user++) {
      const requests = random.poisson(this.config.requestsPerUserDay * world.activity[user]!);
      const clicks = random.poisson(meanClicksElsewhere);
      const slots = this.distinctSlots(requests + clicks, slotsPerDay);
      slots.forEach((slot, i) => {
        (i < clicks ? clickTimes : requestTimes).push(this.timeOf(day, slot));
        (i < clicks ? clickUsers : requestUsers).push(user);
      });
    }
    return this.inOrder(
      [...clickTimes, ...requestTimes],
      [...clickUsers, ...requestUsers],
      clickTimes.length,
    );
  }

  /** Once in ten days a user gives up one interest for another. */
  private changeInterests() {
    for (let user = 0; user < this.world.users; user++) {
      if (this.drift.uniform() >= 0.1) continue;
      const first = user * maxInterests;
      this.interests[first + this.drift.below(this.interestCount(user))] = this.drift.below(
        this.world.groups,
      );
    }
  }

  private interestCount(user: number): number {
    let count = 0;
    while (count < maxInterests && this.interests[user * maxInterests + count]! >= 0) count++;
    return count;
  }

  private timeOf(day: number, slot: number): number {
    const start = this.world.startMs + day * dayMs + firstSlotMs + slot * slotMs;
    return start + this.random.below(startWithinMs);
  }

  private distinctSlots(wanted: number, slots: number): number[] {
    const drawn = new Set<number>();
    while (drawn.size < Math.min(wanted, slots)) drawn.add(this.random.below(slots));
    return [...drawn];
  }

  /** Sorts actions by time and user; the first `clicks` of them are clicks elsewhere and get their items. */
  private inOrder(times: readonly number[], users: readonly number[], clicks: number): Actions {
    const order = Int32Array.from(times.keys()).sort(
      (a, b) => times[a]! - times[b]! || users[a]! - users[b]!,
    );
    return {
      count: order.length,
      atMs: Float64Array.from(order, (i) => times[i]!),
      user: order.map((i) => users[i]!),
      item: order.map((i) => (i < clicks ? this.itemOfInterest(users[i]!, times[i]!) : -1)),
    };
  }

  /** Mostly an item of one of the user's interests; one click in eight goes anywhere. */
  private itemOfInterest(user: number, atMs: number): number {
    const { world, random } = this;
    for (;;) {
      const interest = this.interests[user * maxInterests + random.below(this.interestCount(user))]!;
      const group = random.uniform() < 0.125 ? random.below(world.groups) : interest;
      const members = world.itemsOfGroup[group]!;
      const item = members[random.below(members.length)]!;
      if (isValidAt(world, item, atMs)) return item;
    }
  }
}
