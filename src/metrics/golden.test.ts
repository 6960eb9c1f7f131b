/** The golden values of cascade-losses-and-metrics.md §9.6 that concern these metrics, to 1e-6 (1e-5 through float32 logits). */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { auc, pooledAuc } from './auc.js';
import { calibrationCurve, ece, equalMassEdges, pcoc } from './calibration.js';
import { gauc, requestAuc } from './groupedAuc.js';
import { kendallTau } from './kendall.js';
import { logLoss, normalisedEntropy } from './logLoss.js';
import { ndcg, normalisedGain, teacherNdcg } from './ndcg.js';
import { ascendingOrder, groupedDescending } from './order.js';
import { pairAccuracy } from './pairAccuracy.js';
import { fromPairCounts, type PairCounts } from './pairCounts.js';
import { recall, teacherRecall } from './recall.js';
import { scoredModel, type ScoredModel } from './scoredModel.js';
import { layoutOf, type Grades } from './scoredSet.js';
import { once, type Statistic } from './statistic.js';

interface Request {
  user?: number;
  y: number[];
  s: number[];
  teacher?: number[];
  weights?: number[];
}

function model(...requests: Request[]): ScoredModel {
  const flat = (of: (request: Request) => number[]) => requests.flatMap(of);
  const offsets = [0];
  for (const { y } of requests) offsets.push(offsets.at(-1)! + y.length);
  const layout = layoutOf({
    offsets: Int32Array.from(offsets),
    user: Int32Array.from(requests, ({ user }, r) => user ?? r),
    labels: Uint8Array.from(flat(({ y }) => y)),
    ...(requests[0]?.teacher && { teacher: Float32Array.from(flat(({ teacher }) => teacher!)) }),
    ...(requests[0]?.weights && { weights: Float32Array.from(flat(({ weights }) => weights!)) }),
  });
  return scoredModel(layout, Float32Array.from(flat(({ s }) => s)));
}

/** One request whose candidates have grades instead of 0/1 labels. */
function graded(s: number[], grades: number[]): { scored: ScoredModel; grades: Grades } {
  const values = Float32Array.from(grades);
  const one = new Int32Array(s.length);
  const bestFirst = groupedDescending(ascendingOrder(values), one, Int32Array.of(0, s.length));
  return { scored: model({ y: s.map(() => 0), s }), grades: { values, bestFirst } };
}

const logits = (probabilities: number[]) => probabilities.map((p) => Math.log(p / (1 - p)));
const value = (statistic: Statistic, users = 1) => statistic.value(once(users));

describe('AUC', () => {
  it('takes mid-ranks for ties', () => {
    const labels = Uint8Array.of(1, 0, 1, 0, 0);
    const scores = Float32Array.of(0.8, 0.8, 0.4, 0.4, 0.1);
    expect(auc(labels, scores)).toBeCloseTo(0.666667, 6);
    expect(value(pooledAuc(model({ y: [...labels], s: [...scores] })))).toBeCloseTo(0.666667, 6);
  });

  it('is undefined with one class, not one half', () => {
    expect(auc(Uint8Array.of(1, 1), Float32Array.of(0.1, 0.9))).toBeNull();
    expect(auc(Uint8Array.of(0, 0), Float32Array.of(0.1, 0.9))).toBeNull();
    expect(auc(new Uint8Array(0), new Float32Array(0))).toBeNull();
  });

  it('is the same for early stopping as for evaluation, with scores of both signs and many ties', () => {
    const stream = RandomStream.of(5, 'scores');
    const s = Array.from({ length: 999 }, () => Math.fround((stream.below(200) - 100) / 7));
    const y = s.map((score) => (stream.uniform() < 0.4 + score / 50 ? 1 : 0));
    const scores = Float32Array.from([...s, 1e-45, -1e-45, 3e38]);
    const labels = Uint8Array.from([...y, 0, 1, 0]);
    expect(auc(labels, scores)).toBe(value(pooledAuc(model({ y: [...labels], s: [...scores] }))));
    expect([...scores]).toEqual([...s, ...Float32Array.of(1e-45, -1e-45, 3e38)]);
  });

  it('takes 0 and −0 for the same score', () => {
    expect(auc(Uint8Array.of(1, 0), Float32Array.of(-0, 0))).toBe(0.5);
    expect(auc(Uint8Array.of(1, 0), Float32Array.of(0, -0))).toBe(0.5);
  });

  it('counts a row of weight 3 as three rows, and one of weight 0 not at all', () => {
    const weighted = pooledAuc(model({ y: [1, 0, 0, 1], s: [0.5, 0.4, 0.6, 0.1], weights: [1, 3, 1, 0] }));
    expect(value(weighted)).toBe(0.75);
  });
});

describe('grouped AUC', () => {
  const users: Request[] = [
    { user: 0, y: [1, 0, 0], s: [0.9, 0.5, 0.95] },
    { user: 1, y: [1, 1], s: [0.2, 0.3] },
    { user: 2, y: [0, 0, 1, 1], s: [0.1, 0.4, 0.4, 0.8] },
    { user: 3, y: [0, 0], s: [0.7, 0.6] },
  ];

  it('weighs users by their rows and drops users of one class from both sides', () => {
    const statistic = gauc(model(...users));
    expect(value(statistic, 4)).toBeCloseTo(0.714286, 6);
    expect(statistic).toMatchObject({ n: 2, leftOut: 2 });
  });

  it('is not the pooled AUC', () => {
    expect(value(pooledAuc(model(...users)), 4)).toBeCloseTo(0.45, 6);
  });

  it("joins a user's requests, wherever they stand", () => {
    const split = model(
      { user: 0, y: [1], s: [0.9] },
      { user: 1, y: [0, 0, 1, 1], s: [0.1, 0.4, 0.4, 0.8] },
      { user: 0, y: [0, 0], s: [0.5, 0.95] },
    );
    expect(value(gauc(split), 2)).toBeCloseTo(0.714286, 6);
    const byRequest = requestAuc(split);
    expect(value(byRequest, 2)).toBeCloseTo(0.875, 6);
    expect(byRequest).toMatchObject({ n: 1, leftOut: 2 });
  });

  it('is undefined when no group has both classes', () => {
    const statistic = gauc(model({ y: [1], s: [0.3] }, { y: [0], s: [0.4] }));
    expect(value(statistic, 2)).toBeNull();
    expect(statistic).toMatchObject({ n: 0, leftOut: 2 });
  });
});

describe('probabilities', () => {
  const four = model({ y: [0, 0, 1, 0], s: logits([0.1, 0.2, 0.4, 0.3]) });

  it('have the golden logloss, normalised entropy and PCOC', () => {
    expect(value(logLoss(four))).toBeCloseTo(0.400367, 5);
    expect(value(normalisedEntropy(four))).toBeCloseTo(0.711973, 5);
    expect(value(pcoc(four))).toBeCloseTo(1, 6);
  });

  it('are clipped at 1e-7, so that a sure and wrong row costs 16.118, not infinity', () => {
    expect(value(logLoss(model({ y: [0, 1], s: [1e4, -1e4] })))).toBeCloseTo(-Math.log(1e-7), 5);
  });

  it('have no normalised entropy with one class, and no PCOC without a positive', () => {
    const noPositive = model({ y: [0, 0], s: [0.1, 0.2] });
    const allPositive = model({ y: [1, 1], s: [0.1, 0.2] });
    expect(value(normalisedEntropy(noPositive))).toBeNull();
    expect(value(normalisedEntropy(allPositive))).toBeNull();
    expect(value(pcoc(noPositive))).toBeNull();
    expect(value(pcoc(allPositive))).toBeCloseTo(0.5374, 4);
  });

  const six = model({ y: [0, 0, 1, 0, 1, 1], s: logits([0.05, 0.15, 0.35, 0.45, 0.8, 0.9]) });

  it('have the golden ECE with two bins of equal width', () => {
    expect(value(ece(six, [0.5]))).toBeCloseTo(0.05, 6);
  });

  it('fall into bins of equal mass; equal predictions stay together', () => {
    const edges = equalMassEdges(six, 3);
    expect(edges).toHaveLength(2);
    expect(edges[0]).toBeCloseTo(0.35, 6);
    expect(edges[1]).toBeCloseTo(0.8, 6);
    expect(equalMassEdges(model({ y: [0, 1, 1], s: [0.5, 0.5, 0.5] }), 3)).toHaveLength(1);
    const curve = calibrationCurve(six, edges);
    expect(curve.map(({ n, meanLabel }) => ({ n, meanLabel }))).toEqual([
      { n: 2, meanLabel: 0 },
      { n: 2, meanLabel: 0.5 },
      { n: 2, meanLabel: 1 },
    ]);
    expect(curve[1]!.meanPrediction).toBeCloseTo(0.4, 6);
  });

  it('are weighed: a candidate kept one time in ten counts ten times', () => {
    const weighted = model({ y: [1, 0], s: logits([0.3, 0.1]), weights: [1, 10] });
    expect(value(pcoc(weighted))).toBeCloseTo(1.3, 6);
    expect(value(logLoss(weighted))).toBeCloseTo(-(Math.log(0.3) + 10 * Math.log(0.9)) / 11, 6);
  });
});

describe('recall', () => {
  it('gives ties their expected share of the places', () => {
    expect(value(recall(model({ y: [0, 1, 0, 1, 0], s: [5, 4, 4, 4, 3] }), 2))).toBeCloseTo(0.333333, 6);
  });

  const four = model(
    { y: [1, 0, 0, 1], s: [0.9, 0.1, 0.5, 0.3] },
    { y: [1, 0, 0], s: [0.2, 0.8, 0.6] },
    { y: [0, 0], s: [0.2, 0.1] },
    { y: [1], s: [0.2] },
  );

  it('is the mean over requests with a positive and at least two candidates; the others are counted', () => {
    const statistic = recall(four, 2);
    expect(value(statistic, 4)).toBeCloseTo(0.25, 6);
    expect(statistic).toMatchObject({ n: 2, leftOut: 2 });
    expect(value(ndcg(four, 2), 4)).toBeCloseTo(0.306574, 6);
    expect(ndcg(four, 2)).toMatchObject({ n: 2, leftOut: 2 });
  });

  it("looks for the teacher's top m in the model's top k (pre-rank order abcdef, ranker's baecfd)", () => {
    const teacher = [5, 6, 3, 1, 4, 2]; // of a b c d e f
    const scored = model({ y: [0, 0, 0, 0, 0, 0], s: [6, 5, 4, 3, 2, 1], teacher });
    const grades = scored.layout.teacher!;
    expect(value(teacherRecall(scored, grades, 3, 3))).toBeCloseTo(0.666667, 6); // overlap@3
    expect(value(teacherRecall(scored, grades, 4, 2))).toBeCloseTo(1, 6); // inclusion 2 in 4
    expect(value(teacherRecall(scored, grades, 4, 3))).toBeCloseTo(0.666667, 6); // inclusion 3 in 4
    expect(value(teacherRecall(scored, grades, 1, 5))).toBe(0); // a ≠ b: m is cut to k
  });

  it('against the teacher leaves out requests that k covers whole', () => {
    const scored = model(
      { y: [0, 1, 0], s: [1, 2, 3], teacher: [1, 2, 3] },
      { y: [0, 1], s: [1, 2], teacher: [2, 1] },
    );
    const statistic = teacherRecall(scored, scored.layout.teacher!, 2, 2);
    expect(statistic).toMatchObject({ n: 1, leftOut: 1 });
    expect(value(statistic, 2)).toBe(1);
    expect(value(teacherRecall(scored, scored.layout.teacher!, 3, 2), 2)).toBeNull();
  });

  it('gives ties of the teacher their expected share too', () => {
    const scored = model({ y: [0, 0, 0], s: [3, 2, 1], teacher: [1, 1, 1] });
    expect(value(teacherRecall(scored, scored.layout.teacher!, 1, 1))).toBeCloseTo(1 / 3, 6);
  });
});

describe('NDCG', () => {
  const exponential = (grade: number) => 2 ** grade - 1;

  it('has the golden values for graded labels, exponential and linear gain', () => {
    const { scored, grades } = graded([0.5, 0.9, 0.7, 0.1], [3, 2, 0, 1]);
    expect(value(normalisedGain(scored, grades, exponential, 3))).toBeCloseTo(0.69202, 6);
    expect(value(normalisedGain(scored, grades, (grade) => grade, 3))).toBeCloseTo(0.735007, 6);
  });

  it('averages ties', () => {
    expect(value(ndcg(model({ y: [1, 0, 0], s: [0.5, 0.5, 0.1] }), 1))).toBeCloseTo(0.5, 6);
    const { scored, grades } = graded([0.5, 0.5, 0.7, 0.1], [3, 2, 0, 1]);
    expect(value(normalisedGain(scored, grades, exponential, 3))).toBeCloseTo(0.60202, 6);
  });

  it("takes the teacher's probability as gain", () => {
    const scored = model({ y: [0, 0], s: [1, 2], teacher: logits([0.8, 0.4]) });
    expect(value(teacherNdcg(scored, scored.layout.teacher!, 1))).toBeCloseTo(0.5, 6);
  });
});

describe('pairs', () => {
  it('have the golden ordered pair accuracy', () => {
    const { scored, grades } = graded([0.9, 0.5, 0.7, 0.5], [3, 2, 2, 0]);
    expect(value(pairAccuracy(scored, grades))).toBeCloseTo(0.9, 6);
  });

  it("have the golden counts and Kendall's tau-b", () => {
    const { scored, grades } = graded([0.9, 0.7, 0.7, 0.2, 0.1], [5, 4, 3, 3, 1]);
    const expected: PairCounts = {
      pairs: 10,
      concordant: 8,
      discordant: 0,
      tiedScores: 1,
      tiedGrades: 1,
      tiedBoth: 0,
    };
    const counted = fromPairCounts(scored, grades, (counts) => {
      expect(counts).toEqual(expected);
      return counts.concordant;
    });
    expect([...counted]).toEqual([8]);
    expect(value(kendallTau(scored, grades))).toBeCloseTo(0.888889, 6);
  });

  it('have no tau when a side is constant, and no accuracy when all grades are equal', () => {
    const constantScores = graded([1, 1, 1], [1, 2, 3]);
    expect(value(kendallTau(constantScores.scored, constantScores.grades))).toBeNull();
    expect(value(pairAccuracy(constantScores.scored, constantScores.grades))).toBe(0.5);
    const constantGrades = graded([1, 2, 3], [1, 1, 1]);
    expect(value(kendallTau(constantGrades.scored, constantGrades.grades))).toBeNull();
    expect(value(pairAccuracy(constantGrades.scored, constantGrades.grades))).toBeNull();
  });
});
