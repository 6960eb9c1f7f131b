/** Retrieval in the simulated world: three channels share the places. It knows clicks before the request, and what is popular. */
import { RandomStream } from '../../engine/random.js';
import { retrievalChannels } from '../tables.js';
import type { CandidateList } from './candidates.js';
import type { ClickMemory } from './clickModel.js';
import { isValidAt, type World } from './world.js';

export class Retrieval {
  private readonly random: RandomStream;
  /** The user's remembered clicks: what was clicked lately is not offered again. */
  private readonly clicked = new Set<number>();

  constructor(
    private readonly world: World,
    private readonly places: number,
    seed: number,
  ) {
    this.random = RandomStream.of(seed, 'simulate/retrieval');
  }

  /** A quarter of the places for interest, one for category, the rest for popularity; all for it when there are no clicks. */
  fill(list: CandidateList, user: number, atMs: number, memory: ClickMemory): void {
    const clicks = memory.length(user);
    const share = clicks > 0 ? Math.floor(this.places / 4) : 0;
    this.clicked.clear();
    for (let age = 0; age < clicks; age++) this.clicked.add(memory.item(user, age));
    const recent = () => memory.item(user, this.random.below(clicks));
    const { interest, category, popularity } = retrievalChannels;
    this.channel(list, interest, share, atMs, () => this.likeBoth(recent(), recent()));
    this.channel(list, category, share, atMs, () => this.inCategoryOf(recent()));
    this.channel(list, popularity, this.places - list.count, atMs, () => this.popular());
    // Drawing may not yield enough of a small catalogue: the rest in the order of ids.
    for (let item = 0; item < this.world.items && list.count < this.places; item++) {
      if (isValidAt(this.world, item, atMs)) list.retrieve(item, popularity, list.count + 1);
    }
  }

  private channel(list: CandidateList, channel: number, places: number, atMs: number, draw: () => number) {
    const before = list.count;
    for (let tries = 0; list.count - before < places && tries < 20 * places; tries++) {
      const item = draw();
      if (!isValidAt(this.world, item, atMs) || this.clicked.has(item)) continue;
      list.retrieve(item, channel, list.count - before + 1);
    }
  }

  /** As a pooled profile finds it: in the category of one click and the style of another, whether they belong together or not. */
  private likeBoth(one: number, other: number): number {
    const { group, category, categoryOfGroup, styleOfGroup, itemsOfGroup } = this.world;
    const first = categoryOfGroup.indexOf(category[one]!);
    const wanted = first + styleOfGroup[group[other]!]!;
    const exists = categoryOfGroup[wanted] === category[one];
    return this.any(itemsOfGroup[exists ? wanted : first]!);
  }

  private inCategoryOf(clicked: number): number {
    return this.any(this.world.itemsOfCategory[this.world.category[clicked]!]!);
  }

  private any(items: Int32Array): number {
    return items[this.random.below(items.length)]!;
  }

  /** Drawn in proportion to popularity. */
  private popular(): number {
    const { popularitySum, items } = this.world;
    const target = this.random.uniform() * popularitySum[items - 1]!;
    let low = 0;
    let high = items - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (popularitySum[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
