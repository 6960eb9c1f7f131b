/**
 * Properties 3, 4, 12 and 13 of cascade-losses-and-metrics.md §9.7, and every metric against its definition written out over pairs
 * and places, on random sets full of ties, short requests and one-class groups.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pooledAuc } from './auc.js';
import { ece, pcoc } from './calibration.js';
import { gauc, requestAuc } from './groupedAuc.js';
import { kendallTau } from './kendall.js';
import { logLoss, normalisedEntropy } from './logLoss.js';
import { ndcg, teacherNdcg } from './ndcg.js';
import { pairAccuracy } from './pairAccuracy.js';
import { recall, teacherRecall } from './recall.js';
import { scoredModel, type ScoredModel } from './scoredModel.js';
import { layoutOf } from './scoredSet.js';
import type { Statistic, Times } from './statistic.js';

interface Candidate {
  y: number;
  s: number;
  teacher: number;
  weight: number;
}
interface Request {
  user: number;
  candidates: Candidate[];
}

const candidate: fc.Arbitrary<Candidate> = fc.record({
  y: fc.integer({ min: 0, max: 1 }),
  s: fc.oneof(fc.integer({ min: -2, max: 2 }), fc.float({ min: -9, max: 9, noNaN: true })),
  teacher: fc.integer({ min: -3, max: 3 }),
  weight: fc.constantFrom(1, 1, 2, 5),
});
const someRequests: fc.Arbitrary<Request[]> = fc.array(
  fc.record({
    user: fc.integer({ min: 0, max: 3 }),
    candidates: fc.array(candidate, { minLength: 0, maxLength: 7 }),
  }),
  { minLength: 1, maxLength: 8 },
);
/** How often each of the users 0..3 counts. */
const someTimes = fc.array(fc.nat(3), { minLength: 4, maxLength: 4 });

function model(requests: readonly Request[]): ScoredModel {
  const all = requests.flatMap(({ candidates }) => candidates);
  const offsets = [0];
  for (const { candidates } of requests) offsets.push(offsets.at(-1)! + candidates.length);
  const layout = layoutOf({
    offsets: Int32Array.from(offsets),
    user: Int32Array.from(requests, ({ user }) => user),
    labels: Uint8Array.from(all, ({ y }) => y),
    weights: Float32Array.from(all, ({ weight }) => weight),
    teacher: Float32Array.from(all, ({ teacher }) => teacher),
  });
  return scoredModel(
    layout,
    Float32Array.from(all, ({ s }) => s),
  );
}

const teacherOf = (scored: ScoredModel) => scored.layout.teacher!;
const once: Times = Uint32Array.of(1, 1, 1, 1);

/** Every metric, by name. */
const statistics: Record<string, (scored: ScoredModel) => Statistic> = {
  auc: pooledAuc,
  gauc,
  request_auc: requestAuc,
  logloss: logLoss,
  ne: normalisedEntropy,
  pcoc,
  ece: (scored) => ece(scored, [0.2, 0.55, 0.9]),
  'ndcg@3': (scored) => ndcg(scored, 3),
  'recall@2': (scored) => recall(scored, 2),
  'teacher_ndcg@3': (scored) => teacherNdcg(scored, teacherOf(scored), 3),
  'teacher_recall@3': (scored) => teacherRecall(scored, teacherOf(scored), 3, 2),
  teacher_opa: (scored) => pairAccuracy(scored, teacherOf(scored)),
  teacher_tau: (scored) => kendallTau(scored, teacherOf(scored)),
};

const all = (requests: readonly Request[], times: Times = once) =>
  Object.fromEntries(
    Object.entries(statistics).map(([name, of]) => [name, of(model(requests)).value(times)]),
  );

function expectClose(actual: Record<string, number | null>, expected: Record<string, number | null>) {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, value] of Object.entries(expected)) {
    if (value === null || actual[name] === null) expect(actual[name], name).toBe(value);
    else expect(actual[name], name).toBeCloseTo(value, 9);
  }
}

// --------------------------------------------------------------------------------------- definitions, written out plainly

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const ratio = (above: number, below: number) => (below === 0 ? null : above / below);
const mean = (values: readonly number[]) => ratio(sum(values), values.length);
const probability = ({ s }: Candidate) => 1 / (1 + Math.exp(-Math.fround(s)));

function aucOverPairs(rows: readonly Candidate[]): number | null {
  let right = 0;
  let pairs = 0;
  for (const p of rows.filter(({ y }) => y === 1)) {
    for (const q of rows.filter(({ y }) => y === 0)) {
      const [a, b] = [Math.fround(p.s), Math.fround(q.s)];
      right += p.weight * q.weight * (a > b ? 1 : a === b ? 0.5 : 0);
      pairs += p.weight * q.weight;
    }
  }
  return ratio(right, pairs);
}

function groupedOverPairs(groups: readonly (readonly Candidate[])[]): number | null {
  const judged = groups.flatMap((rows) => {
    const area = aucOverPairs(rows);
    return area === null ? [] : [{ area, weight: sum(rows.map(({ weight }) => weight)) }];
  });
  return ratio(sum(judged.map(({ area, weight }) => area * weight)), sum(judged.map(({ weight }) => weight)));
}

/** The mean of `of` over every order that a stable sort by `key` could give, were ties broken at random: by enumeration. */
function overOrders(
  rows: readonly Candidate[],
  key: (row: Candidate) => number,
  of: (order: readonly Candidate[]) => number,
): number {
  const orders = (left: readonly Candidate[]): Candidate[][] => {
    if (left.length === 0) return [[]];
    const best = Math.max(...left.map(key));
    return left
      .filter((row) => key(row) === best)
      .flatMap((row) => orders(left.filter((other) => other !== row)).map((rest) => [row, ...rest]));
  };
  return mean(orders(rows).map(of))!;
}

const score = ({ s }: Candidate) => Math.fround(s);
const teacher = (row: Candidate) => row.teacher;

function ndcgByEnumeration(rows: readonly Candidate[], gain: (row: Candidate) => number, k: number) {
  const dcg = (order: readonly Candidate[]) =>
    sum(order.slice(0, k).map((row, place) => gain(row) / Math.log2(place + 2)));
  const ideal = dcg([...rows].sort((a, b) => gain(b) - gain(a)));
  return rows.length < 2 || ideal === 0 ? null : overOrders(rows, score, dcg) / ideal;
}

function definitions(requests: readonly Request[]): Record<string, number | null> {
  const rows = requests.flatMap(({ candidates }) => candidates);
  const lists = requests.map(({ candidates }) => candidates);
  const byUser = [0, 1, 2, 3].map((u) =>
    requests.filter(({ user }) => user === u).flatMap(({ candidates }) => candidates),
  );
  const weighted = (of: (row: Candidate) => number) => sum(rows.map((row) => row.weight * of(row)));
  const weight = weighted(() => 1);
  const rate = weighted(({ y }) => y) / weight;
  const loss = (row: Candidate) => -Math.log(Math.max(1e-7, row.y ? probability(row) : 1 - probability(row)));
  const entropy = -rate * Math.log(rate) - (1 - rate) * Math.log(1 - rate);
  const bin = (row: Candidate) => [0.2, 0.55, 0.9].filter((edge) => edge <= probability(row)).length;
  const gapOf = (b: number) => Math.abs(weighted((row) => (bin(row) === b ? probability(row) - row.y : 0)));
  const meanOf = (of: (list: Candidate[]) => number | null) =>
    mean(lists.map(of).filter((value) => value !== null));
  const pairs = (list: readonly Candidate[]) =>
    list.flatMap((a, i) =>
      list.slice(i + 1).map((b) => [score(a) - score(b), a.teacher - b.teacher] as const),
    );
  return {
    auc: aucOverPairs(rows),
    gauc: groupedOverPairs(byUser),
    request_auc: groupedOverPairs(lists),
    logloss: ratio(weighted(loss), weight),
    ne: rate > 0 && rate < 1 ? weighted(loss) / weight / entropy : null,
    pcoc: ratio(
      weighted(probability),
      weighted(({ y }) => y),
    ),
    ece: ratio(sum([0, 1, 2, 3].map(gapOf)), weight),
    'ndcg@3': meanOf((list) => ndcgByEnumeration(list, ({ y }) => y, 3)),
    'recall@2': meanOf((list) => {
      const positives = sum(list.map(({ y }) => y));
      if (positives === 0 || list.length < 2) return null;
      return overOrders(list, score, (order) => sum(order.slice(0, 2).map(({ y }) => y))) / positives;
    }),
    'teacher_ndcg@3': meanOf((list) => ndcgByEnumeration(list, (row) => 1 / (1 + Math.exp(-row.teacher)), 3)),
    'teacher_recall@3': meanOf((list) => {
      if (list.length <= 3) return null;
      return overOrders(list, score, (order) =>
        overOrders(list, teacher, (wanted) => {
          const top = order.slice(0, 3);
          return wanted.slice(0, 2).filter((row) => top.includes(row)).length / 2;
        }),
      );
    }),
    teacher_opa: meanOf((list) => {
      const ordered = pairs(list).filter(([, t]) => t !== 0);
      return mean(ordered.map(([s, t]) => (s === 0 ? 0.5 : s > 0 === t > 0 ? 1 : 0)));
    }),
    teacher_tau: meanOf((list) => {
      const signs = pairs(list).map(([s, t]) => [Math.sign(s), Math.sign(t)] as const);
      const squares = sum(signs.map(([s]) => s * s)) * sum(signs.map(([, t]) => t * t));
      return squares === 0 ? null : sum(signs.map(([s, t]) => s * t)) / Math.sqrt(squares);
    }),
  };
}

describe('every metric', () => {
  it('is its definition written out over pairs, places and orders', () => {
    fc.assert(
      fc.property(someRequests, (requests) => {
        expectClose(all(requests), definitions(requests));
      }),
      { numRuns: 150 },
    );
  });

  it('of a resample is the metric of the set in which each user stands so many times', () => {
    fc.assert(
      fc.property(someRequests, someTimes, (requests, times) => {
        // A user that is drawn twice is two users, each with all of their requests.
        const repeated = requests.flatMap((request) =>
          Array.from({ length: times[request.user]! }, (_, copy) => ({
            ...request,
            user: 4 * copy + request.user,
          })),
        );
        const users = new Uint32Array(16).fill(1);
        expectClose(all(requests, Uint32Array.from(times)), all(repeated, users));
      }),
    );
  });

  it('does not see empty requests, nor the order of requests or of candidates within one', () => {
    fc.assert(
      fc.property(someRequests, fc.infiniteStream(fc.nat()), (requests, keys) => {
        const shuffled = <T>(values: readonly T[]): T[] =>
          values
            .map((value) => ({ value, key: keys.next().value as number })) // an infinite stream: always a value
            .sort((a, b) => a.key - b.key)
            .map(({ value }) => value);
        const other = shuffled(
          requests.map(({ user, candidates }) => ({ user, candidates: shuffled(candidates) })),
        );
        expectClose(all([...other, { user: 2, candidates: [] }]), all(requests));
      }),
    );
  });

  it('over rows does not see candidates of weight 0, whatever their score', () => {
    fc.assert(
      fc.property(someRequests, fc.constantFrom(-3e38, -1, 0, 3e38), (requests, s) => {
        const padding = { y: 1, s, teacher: 0, weight: 0 };
        const padded = requests.map(({ user, candidates }) => ({
          user,
          candidates: [...candidates, padding, { ...padding, y: 0 }],
        }));
        const rows = (of: Record<string, number | null>) =>
          Object.fromEntries(
            ['auc', 'gauc', 'request_auc', 'logloss', 'ne', 'pcoc', 'ece'].map((name) => [name, of[name]!]),
          );
        expectClose(rows(all(padded)), rows(all(requests)));
      }),
    );
  });
});

describe('orders', () => {
  const calibration = ['logloss', 'ne', 'pcoc', 'ece'];
  const orderOnly = (requests: readonly Request[]) =>
    Object.fromEntries(Object.entries(all(requests)).filter(([name]) => !calibration.includes(name)));
  const rescored = (requests: readonly Request[], of: (s: number) => number) =>
    requests.map(({ user, candidates }) => ({
      user,
      candidates: candidates.map((row) => ({ ...row, s: of(Math.fround(row.s)) })),
    }));

  it('do not change under a strictly increasing map of the scores', () => {
    fc.assert(
      fc.property(someRequests, (requests) => {
        // Halving is exact in float32 for all but the tiniest numbers, which are taken for 0 first.
        const flushed = rescored(requests, (s) => (Math.abs(s) < 1e-30 ? 0 : s));
        expectClose(orderOnly(rescored(flushed, (s) => s / 2)), orderOnly(flushed));
      }),
    );
  });

  it('turn round with the scores: AUC(−s) = 1 − AUC(s), tau(−s) = −tau(s)', () => {
    fc.assert(
      fc.property(someRequests, (requests) => {
        const there = all(requests);
        const back = all(rescored(requests, (s) => -s));
        for (const name of ['auc', 'gauc', 'request_auc', 'teacher_opa', 'teacher_tau'] as const) {
          const value = there[name] ?? null;
          if (value === null) expect(back[name]).toBeNull();
          else expect(back[name]).toBeCloseTo(name === 'teacher_tau' ? -value : 1 - value, 9);
        }
      }),
    );
  });

  it('of constant scores look like chance: AUC one half, recall k/n, no tau', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 2, maxLength: 7 }), (candidates) => {
        const requests = [{ user: 0, candidates: candidates.map((row) => ({ ...row, s: 1.5, weight: 1 })) }];
        const values = all(requests);
        for (const name of ['auc', 'gauc', 'request_auc']) {
          if (values[name] !== null) expect(values[name]).toBeCloseTo(0.5, 12);
        }
        if (candidates.some(({ y }) => y === 1)) {
          expect(values['recall@2']).toBeCloseTo(2 / candidates.length, 12);
        }
        expect(values.teacher_tau).toBeNull();
      }),
    );
  });

  it('of one list: recall never falls with k and is 1 at k = n; NDCG lies in [0, 1] and is 1 for the best order', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 2, maxLength: 7 }), (candidates) => {
        fc.pre(candidates.some(({ y }) => y === 1));
        const scored = model([{ user: 0, candidates }]);
        let last = 0;
        for (let k = 1; k <= candidates.length; k++) {
          const now = recall(scored, k).value(once)!;
          expect(now).toBeGreaterThanOrEqual(last - 1e-12);
          const gain = ndcg(scored, k).value(once)!;
          expect(gain).toBeGreaterThanOrEqual(0);
          expect(gain).toBeLessThanOrEqual(1 + 1e-12);
          last = now;
        }
        expect(last).toBeCloseTo(1, 12);
        const best = model([{ user: 0, candidates: candidates.map((row) => ({ ...row, s: row.teacher })) }]);
        expect(teacherNdcg(best, teacherOf(best), 3).value(once)).toBeCloseTo(1, 12);
        const tau = kendallTau(best, teacherOf(best)).value(once);
        if (tau !== null) expect(tau).toBeCloseTo(1, 12);
      }),
    );
  });

  it('of 0/1 grades: pair accuracy is the AUC of the request', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 0, maxLength: 7 }), (candidates) => {
        const scored = model([{ user: 0, candidates: candidates.map((row) => ({ ...row, weight: 1 })) }]);
        const accuracy = pairAccuracy(scored, scored.layout.labels).value(once);
        const area = pooledAuc(scored).value(once);
        if (area === null) expect(accuracy).toBeNull();
        else expect(accuracy).toBeCloseTo(area, 12);
      }),
    );
  });
});
