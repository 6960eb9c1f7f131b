/**
 * What a metric is computed on: the candidates of some requests as flat arrays, and derived from them, once per set, what every
 * model's metrics share. Axes: [request], [candidate] = all candidates of all requests one after another, [user].
 */
import { internal } from '../errors.js';
import { ascendingOrder, groupedDescending } from './order.js';

export interface ScoredSet {
  /** Start of each request's candidates; one longer than the number of requests. */
  readonly offsets: Int32Array;
  /** [request] index of its user, from 0 without gaps (`withoutGaps` and `selectRequests` renumber). */
  readonly user: Int32Array;
  /** [candidate] 1 = positive, 0 = not. */
  readonly labels: Uint8Array;
  /**
   * [candidate] what it stands for in metrics over rows (AUC, calibration): 1 / incl_prob of set B, 1 when absent. List metrics
   * (NDCG, recall, order) speak of the list as it was kept and do not use it.
   */
  readonly weights?: Float32Array;
  /** [candidate] the teacher's logits. */
  readonly teacher?: Float32Array;
}

/** Values per candidate and their order within each request, best first. */
export interface Grades {
  readonly values: Float32Array;
  /** [candidate] places offsets[r]..offsets[r + 1] hold the candidates of request r, best first. */
  readonly bestFirst: Uint32Array;
}

/** A set with all that is derived from it alone. */
export interface Layout {
  readonly set: ScoredSet;
  readonly requests: number;
  readonly candidates: number;
  readonly users: number;
  /** [candidate] */
  readonly requestOf: Int32Array;
  /** [candidate] */
  readonly userOf: Int32Array;
  /** [candidate] */
  readonly weights: Float32Array;
  readonly labels: Grades;
  readonly teacher: Grades | null;
}

export function layoutOf(set: ScoredSet): Layout {
  checkShapes(set);
  const requests = set.offsets.length - 1;
  const candidates = set.labels.length;
  const requestOf = new Int32Array(candidates);
  const userOf = new Int32Array(candidates);
  for (let r = 0; r < requests; r++) {
    requestOf.fill(r, set.offsets[r], set.offsets[r + 1]);
    userOf.fill(set.user[r]!, set.offsets[r], set.offsets[r + 1]);
  }
  const graded = (values: Float32Array): Grades => ({
    values,
    bestFirst: groupedDescending(ascendingOrder(values), requestOf, set.offsets),
  });
  return {
    set,
    requests,
    candidates,
    users: set.user.reduce((most, user) => Math.max(most, user + 1), 0),
    requestOf,
    userOf,
    weights: set.weights ?? new Float32Array(candidates).fill(1),
    labels: graded(Float32Array.from(set.labels)),
    teacher: set.teacher ? graded(set.teacher) : null,
  };
}

/** A set with its users numbered in the order of their first requests; all else is shared. */
export function withoutGaps(set: ScoredSet): ScoredSet {
  const numberOf = numbersAsTheyCome();
  return { ...set, user: set.user.map(numberOf) };
}

/** Some requests of a set, with the places of their candidates so that scores can be picked alike; users are renumbered. */
export function selectRequests(
  set: ScoredSet,
  requests: ArrayLike<number>,
): { set: ScoredSet; candidates: Int32Array } {
  const offsets = new Int32Array(requests.length + 1);
  for (let i = 0; i < requests.length; i++) {
    offsets[i + 1] = offsets[i]! + set.offsets[requests[i]! + 1]! - set.offsets[requests[i]!]!;
  }
  const candidates = new Int32Array(offsets[requests.length]!);
  const user = new Int32Array(requests.length);
  const numberOf = numbersAsTheyCome();
  for (let i = 0; i < requests.length; i++) {
    const from = set.offsets[requests[i]!]!;
    for (let place = offsets[i]!; place < offsets[i + 1]!; place++) {
      candidates[place] = from + place - offsets[i]!;
    }
    user[i] = numberOf(set.user[requests[i]!]!);
  }
  const labels = Uint8Array.from(candidates, (candidate) => set.labels[candidate]!);
  return {
    set: {
      offsets,
      user,
      labels,
      ...(set.weights && { weights: pick(set.weights, candidates) }),
      ...(set.teacher && { teacher: pick(set.teacher, candidates) }),
    },
    candidates,
  };
}

/** 0 for the first value, 1 for the next one that has not come yet, and so on. */
function numbersAsTheyCome(): (value: number) => number {
  const numbers = new Map<number, number>();
  return (value) => {
    const number = numbers.get(value) ?? numbers.size;
    numbers.set(value, number);
    return number;
  };
}

/** The values at some places. */
export function pick(values: Float32Array, places: Int32Array | Uint32Array): Float32Array {
  const picked = new Float32Array(places.length);
  for (let i = 0; i < places.length; i++) picked[i] = values[places[i]!]!;
  return picked;
}

function checkShapes({ offsets, user, labels, weights, teacher }: ScoredSet): void {
  const candidates = offsets.at(-1);
  if (offsets[0] !== 0 || offsets.some((start, r) => r > 0 && start < offsets[r - 1]!)) {
    internal('offsets of a scored set must begin at 0 and never fall');
  }
  if (user.length !== offsets.length - 1) {
    internal(`a scored set of ${offsets.length - 1} requests has ${user.length} users`);
  }
  for (const [name, values] of Object.entries({ labels, weights, teacher })) {
    if (values && values.length !== candidates) {
      internal(`a scored set of ${candidates ?? 0} candidates has ${values.length} ${name}`);
    }
  }
  if (labels.some((label) => label > 1)) internal('labels of a scored set must be 0 or 1');
}
