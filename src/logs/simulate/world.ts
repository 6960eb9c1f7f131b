/**
 * Items and users of the simulated world. What a log would show is visible: category, author, tags, editor's score, segment. What
 * moves clicks is hidden, and only in the truth table: group, quality, taste.
 *
 * A group is a category in one style, and an author keeps to one style in all categories. So no column names the group: counting
 * categories or authors mixes up the interests of a user (the category of one, the style of another), and so does any pooled vector;
 * it takes a look at single behaviours that match the candidate in both, with authors told apart by style.
 */
import type { LogsConfig } from '../../config/config.js';
import { RandomStream } from '../../engine/random.js';
import { dayMs, offsetMs } from '../days.js';

export type SimulationConfig = Extract<LogsConfig, { kind: 'simulate' }>;

/** First day of traffic. */
const firstDay = Date.UTC(2024, 0, 1);

/** Days before the first one in which users leave a history; the old items are older. */
export const warmUpDays = 14;

/** Directions of static taste: few, so that two vectors can hold it. */
const tasteWidth = 4;
const authorsOfStyle = 12;
const tagsOfCategory = 3;
const segments = 8;

export interface World {
  readonly items: number;
  readonly users: number;
  readonly groups: number;
  readonly tasteWidth: number;
  /** UTC milliseconds at which the first day begins in the business time zone. */
  readonly startMs: number;

  readonly categoryOfGroup: Int32Array;
  readonly styleOfGroup: Int32Array;
  readonly itemsOfGroup: readonly Int32Array[];
  readonly itemsOfCategory: readonly Int32Array[];

  readonly group: Int32Array; // [item]
  readonly category: Int32Array;
  readonly author: Int32Array;
  readonly tags: readonly (readonly number[])[];
  /** [item] log-odds that the item has for everybody. */
  readonly quality: Float64Array;
  /** [item] a noisy reading of quality that the item table shows. */
  readonly editorScore: Float64Array;
  /** [item] running sum of the weights of the popularity channel. */
  readonly popularitySum: Float64Array;
  readonly itemTaste: Float64Array; // [item · direction]
  readonly publishMs: Float64Array;
  /** [item] first moment at which it is gone; Infinity for nearly all. */
  readonly delistMs: Float64Array;

  readonly segment: Int32Array; // [user]
  /** [user] requests relative to the mean. */
  readonly activity: Float64Array;
  readonly userTaste: Float64Array; // [user · direction]
}

export function makeWorld(config: SimulationConfig, seed: number): World {
  const { users, items, groups } = config;
  const startMs = firstDay - offsetMs(config.timeZone);
  const size = { users, items, groups, tasteWidth, startMs };
  const grouping = makeGroups(config, RandomStream.of(seed, 'simulate/groups'));
  return {
    ...size,
    ...grouping,
    ...makeAppeal(config, grouping.category, RandomStream.of(seed, 'simulate/appeal')),
    ...makeLifetimes(config, startMs, RandomStream.of(seed, 'simulate/lifetimes')),
    ...makeUsers(config, RandomStream.of(seed, 'simulate/users')),
  };
}

export const isValidAt = (world: World, item: number, atMs: number): boolean =>
  world.publishMs[item]! <= atMs && atMs < world.delistMs[item]!;

/** Groups of equal size over shuffled ids, so that an id says nothing about its group. */
function makeGroups({ items, groups, categories }: SimulationConfig, random: RandomStream) {
  const group = new Int32Array(items);
  random.permutation(items).forEach((item, i) => (group[item] = i % groups));
  const all = Int32Array.from({ length: groups }, (_, g) => g);
  const categoryOfGroup = all.map((g) => Math.floor((g * categories) / groups));
  const styleOfGroup = all.map((g) => g - categoryOfGroup.indexOf(categoryOfGroup[g]!));
  const category = group.map((g) => categoryOfGroup[g]!);
  return {
    group,
    category,
    categoryOfGroup,
    styleOfGroup,
    author: group.map((g) => styleOfGroup[g]! * authorsOfStyle + random.below(authorsOfStyle)),
    tags: Array.from(category, (own) => makeTags(own, categories, random)),
    itemsOfGroup: membersOf(group, groups),
    itemsOfCategory: membersOf(category, categories),
  };
}

/** One to three tags of the item's category; one in ten is out of place. */
function makeTags(category: number, categories: number, random: RandomStream): number[] {
  const drawn = Array.from({ length: 1 + random.below(tagsOfCategory) }, () => {
    const from = random.uniform() < 0.9 ? category : random.below(categories);
    return tagsOfCategory * from + random.below(tagsOfCategory);
  });
  return [...new Set(drawn)];
}

/** Popularity falls like Zipf's law, flattened at the head; popular items are a little better. */
function makeAppeal({ items, categories }: SimulationConfig, category: Int32Array, random: RandomStream) {
  const popularity = Float64Array.from(random.permutation(items), (rank) => (rank + 10) ** -0.8);
  const meanLog = popularity.reduce((sum, weight) => sum + Math.log(weight), 0) / items;
  const quality = popularity.map((weight) => 0.45 * (Math.log(weight) - meanLog) + 0.35 * random.normal());
  let sum = 0;
  return {
    quality,
    editorScore: quality.map((q) => q + 0.5 * random.normal()),
    popularitySum: popularity.map((weight) => (sum += weight)),
    itemTaste: tastes(category, categories, 0.25, 1, random),
  };
}

/** Most items are there from the start, some come during the log, a few on its last two days; a few are taken down. */
function makeLifetimes({ items, days }: SimulationConfig, startMs: number, random: RandomStream) {
  const publishMs = new Float64Array(items);
  const delistMs = new Float64Array(items).fill(Infinity);
  for (let item = 0; item < items; item++) {
    const fate = item === 0 ? 0.5 : random.uniform(); // the first is always there: something can be clicked at any time
    const when = random.uniform();
    const duringLog = startMs + Math.floor(when * days * dayMs);
    if (fate < 0.03) publishMs[item] = startMs + Math.floor((days - 2 + 2 * when) * dayMs);
    else if (fate < 0.15) publishMs[item] = duringLog;
    else publishMs[item] = startMs - Math.floor((warmUpDays + 60 * when) * dayMs);
    if (fate > 0.98) delistMs[item] = duringLog;
  }
  return { publishMs, delistMs };
}

function makeUsers({ users }: SimulationConfig, random: RandomStream) {
  const segment = Int32Array.from({ length: users }, () => random.below(segments));
  return {
    segment,
    activity: Float64Array.from({ length: users }, () => 0.5 + random.uniform()),
    userTaste: tastes(segment, segments, 0.5, 0.5, random),
  };
}

/** scale · (centre of the kind + spread · noise) in every direction. */
function tastes(
  kind: Int32Array,
  kinds: number,
  scale: number,
  spread: number,
  random: RandomStream,
): Float64Array {
  const centre = random.normals(kinds * tasteWidth);
  return Float64Array.from({ length: kind.length * tasteWidth }, (_, i) => {
    const own = kind[Math.floor(i / tasteWidth)]! * tasteWidth + (i % tasteWidth);
    return scale * (centre[own]! + spread * random.normal());
  });
}

function membersOf(labels: Int32Array, count: number): Int32Array[] {
  const members = Array.from({ length: count }, (): number[] => []);
  labels.forEach((label, item) => members[label]!.push(item));
  return members.map((list) => Int32Array.from(list));
}
