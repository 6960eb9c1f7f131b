/**
 * The cascade of the simulated platform: retrieval, pre-ranker, ranker, exposure with a little exploration, and now and then an item
 * that a rule forces in. Each stage sees the truth more sharply than the one before it.
 */
import { RandomStream } from '../../engine/random.js';
import { stageReached } from '../tables.js';
import { CandidateList } from './candidates.js';
import { Retrieval } from './channels.js';
import { clickLogit, groupCounts, tasteMatch, type ClickMemory } from './clickModel.js';
import { isValidAt, type SimulationConfig, type World } from './world.js';

const prerankerNoise = 0.6;
const rankerNoise = 0.3;
/** Share of requests in which two exposures are drawn from what was ranked, whatever its score. */
const explorationShare = 0.1;
const explored = 2;
/** Share of requests into which a rule forces an item. */
const forcedShare = 0.02;

export class Funnel {
  readonly list: CandidateList;
  /** [group] c of clickModel.ts for the user of the request. */
  readonly groupCount: Float64Array;
  /** Slots of what was shown, by position. */
  shown: readonly number[] = [];
  /** Candidates that retrieval found. */
  retrieved = 0;
  isExploring = false;
  private readonly retrieval: Retrieval;
  private readonly noise: RandomStream;
  private readonly chance: RandomStream;

  constructor(
    private readonly world: World,
    private readonly config: SimulationConfig,
    seed: number,
  ) {
    this.list = new CandidateList(config.retrieved + 1, world.items);
    this.groupCount = new Float64Array(world.groups);
    this.retrieval = new Retrieval(world, config.retrieved, seed);
    this.noise = RandomStream.of(seed, 'simulate/noise');
    this.chance = RandomStream.of(seed, 'simulate/exposure');
  }

  /** Runs one request through; the outcome is in `list`, `groupCount` and `isExploring` until the next. */
  run(scene: number, user: number, atMs: number, memory: ClickMemory): void {
    this.list.clear();
    groupCounts(this.world, memory, user, this.groupCount);
    this.retrieval.fill(this.list, user, atMs, memory);
    this.retrieved = this.list.count;
    this.prerank(user);
    this.rank(scene, user);
    const shown = this.expose();
    const forced = this.chance.uniform() < forcedShare ? this.force(scene, user, atMs) : [];
    this.shown = [...shown, ...forced];
    this.shown.forEach((slot, place) => (this.list.position[slot] = place + 1));
  }

  /** Sees half the directions of taste, categories and styles apart instead of groups, and much noise. */
  private prerank(user: number) {
    const { world, list } = this;
    const perCategory = new Float64Array(world.groups);
    const perStyle = new Float64Array(world.groups);
    this.groupCount.forEach((count, group) => {
      perCategory[world.categoryOfGroup[group]!]! += count;
      perStyle[world.styleOfGroup[group]!]! += count;
    });
    for (let slot = 0; slot < list.count; slot++) {
      const item = list.item[slot]!;
      const ofCategory = perCategory[world.category[item]!]!;
      const ofStyle = perStyle[world.styleOfGroup[world.group[item]!]!]!;
      const interest = ofCategory / (ofCategory + 1) + ofStyle / (ofStyle + 1);
      list.prerankScore[slot] =
        world.quality[item]! +
        tasteMatch(world, user, item, world.tasteWidth / 2) +
        this.config.targetDependence * interest +
        prerankerNoise * this.noise.normal();
    }
    list.ranked(stageReached.retrieved, list.prerankScore).forEach((slot, place) => {
      list.prerankRank[slot] = place + 1;
      if (place < this.config.preranked) list.stage[slot] = stageReached.preranked;
    });
  }

  /** Sees the truth and a little noise, of what the pre-ranker passed on. */
  private rank(scene: number, user: number) {
    const { config, list } = this;
    for (let slot = 0; slot < list.count; slot++) {
      list.logit[slot] = this.truth(scene, user, list.item[slot]!);
      if (list.stage[slot] !== stageReached.preranked) continue;
      list.rankScore[slot] = list.logit[slot]! + rankerNoise * this.noise.normal();
    }
    list.ranked(stageReached.preranked, list.rankScore).forEach((slot, place) => {
      list.rankRank[slot] = place + 1;
      if (place < config.ranked) list.stage[slot] = stageReached.ranked;
    });
  }

  /** The ranker's best in its order; when exploring, the last places go to others of what was ranked. */
  private expose(): number[] {
    const { list, chance } = this;
    const ranked = list.ranked(stageReached.ranked, list.rankScore);
    this.isExploring = chance.uniform() < explorationShare;
    const kept = Math.max(0, this.config.exposed - (this.isExploring ? explored : 0));
    const shown = ranked.splice(0, kept);
    while (shown.length < this.config.exposed && ranked.length > 0) {
      shown.push(...ranked.splice(chance.below(ranked.length), 1));
    }
    for (const slot of shown) list.stage[slot] = stageReached.exposed;
    return shown;
  }

  /** One more item, for the end of the list, that retrieval did not find. */
  private force(scene: number, user: number, atMs: number): number[] {
    const item = this.chance.below(this.world.items);
    if (this.list.has(item) || !isValidAt(this.world, item, atMs)) return [];
    const slot = this.list.force(item);
    this.list.logit[slot] = this.truth(scene, user, item);
    return [slot];
  }

  private truth(scene: number, user: number, item: number): number {
    const count = this.groupCount[this.world.group[item]!]!;
    return clickLogit(this.world, this.config.targetDependence, scene, user, item, count);
  }
}
