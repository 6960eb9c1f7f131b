import { describe, expect, it } from 'vitest';
import { RandomStream } from '../engine/random.js';
import { percentileInterval } from './bootstrap.js';
import { measure, type MeasureOptions } from './measure.js';
import type { ModelName } from './metricRow.js';
import { gapClosed, pairedDifference } from './paired.js';
import type { ScoredSet } from './scoredSet.js';

/** Requests of 1 to 8 candidates; scores = truth plus noise, the same noise for all models where `shared` is 1. */
function world(requests: number, users: number, noise: Partial<Record<ModelName, number>>, seed = 1) {
  const stream = RandomStream.of(seed, 'world');
  const offsets = new Int32Array(requests + 1);
  const user = new Int32Array(requests);
  for (let r = 0; r < requests; r++) {
    offsets[r + 1] = offsets[r]! + 1 + stream.below(8);
    user[r] = stream.below(users);
  }
  const n = offsets[requests]!;
  const truth = stream.normals(n);
  const labels = Uint8Array.from(truth, (logit) =>
    stream.uniform() < 1 / (1 + Math.exp(1 - 2 * logit)) ? 1 : 0,
  );
  const models = Object.entries(noise).map(([model, deviation]) => ({
    model: model as ModelName, // the keys of the record above
    logits: truth.map((logit) => logit + deviation * stream.normal()),
  }));
  const set: ScoredSet = { offsets, user, labels, teacher: truth };
  return { set, models };
}

const options = (of: ReturnType<typeof world>, resamples = 100): MeasureOptions => ({
  ...of,
  cutoffs: [1, 5],
  teacherTop: 3,
  resamples,
  stream: () => RandomStream.of(5, 'bootstrap'),
});

describe('measuring models', () => {
  const small = options(world(400, 60, { two_tower: 1, student: 0.5 }));
  const measured = measure(small);

  it('gives every metric of every model by its name', () => {
    const rows = measured.rows({ split: 'test', set: 'b', slice: 'scene=1' });
    expect(rows.filter(({ model }) => model === 'student').map(({ metric }) => metric)).toEqual(
      `auc gauc request_auc logloss ne pcoc ece ndcg@1 ndcg@5 recall@1 recall@5 teacher_ndcg@1 teacher_ndcg@5
       teacher_recall@1 teacher_recall@5 teacher_opa teacher_tau`.split(/\s+/),
    );
    const { value, low, high } = measured.of('student', 'auc');
    expect(rows.find(({ model, metric }) => model === 'student' && metric === 'auc')).toEqual({
      model: 'student',
      split: 'test',
      set: 'b',
      slice: 'scene=1',
      metric: 'auc',
      value,
      low,
      high,
      n: small.set.labels.length,
    });
    expect(measured.models).toEqual(['two_tower', 'student']);
  });

  it('leaves the metrics against the teacher out where there is no teacher', () => {
    const { teacher, ...set } = small.set;
    expect(teacher).toBeDefined();
    expect(measure({ ...small, set }).find('student', 'teacher_tau')).toBeUndefined();
  });

  it('puts every value inside its interval; the calibration error has none, since noise only adds to it', () => {
    for (const { metric, value, low, high } of measured.all) {
      if (metric === 'ece') expect([low, high]).toEqual([null, null]);
      else {
        expect(low, metric).toBeLessThan(value!);
        expect(high, metric).toBeGreaterThan(value!);
      }
    }
  });

  it('repeats to the last bit with the same stream and differs with another', () => {
    const again = { ...small, stream: () => RandomStream.of(5, 'bootstrap') };
    expect(measure(again).all).toEqual(measured.all);
    const other = { ...small, stream: () => RandomStream.of(6, 'bootstrap') };
    expect(measure(other).of('student', 'auc').low).not.toBe(measured.of('student', 'auc').low);
  });

  it('gives no interval without resamples, nor for a single user', () => {
    const withoutInterval = { low: null, high: null };
    expect(measure({ ...small, resamples: 0 }).of('student', 'auc')).toMatchObject(withoutInterval);
    expect(measure(options(world(50, 1, { student: 1 }))).of('student', 'auc')).toMatchObject(
      withoutInterval,
    );
  });

  it('draws users, not rows: copies of the rows of each user do not narrow the interval', () => {
    const { set, models } = small;
    const twice = <T extends Float32Array | Uint8Array | Int32Array>(values: T): T => {
      const copy = values.slice(0, 0).constructor as new (from: number[]) => T; // the same kind of array
      return new copy([...values, ...values]);
    };
    const n = set.labels.length;
    const doubled = measure({
      ...small,
      stream: () => RandomStream.of(5, 'bootstrap'),
      set: {
        offsets: Int32Array.from([...set.offsets, ...set.offsets.slice(1).map((offset) => offset + n)]),
        user: twice(set.user),
        labels: twice(set.labels),
      },
      models: models.map(({ model, logits }) => ({ model, logits: twice(logits) })),
    });
    const { low, high } = measured.of('student', 'auc');
    expect(doubled.of('student', 'auc').low).toBeCloseTo(low!, 10);
    expect(doubled.of('student', 'auc').high).toBeCloseTo(high!, 10);
  });

  it('has intervals of the right width: they cover the truth in 85 to 100 of 100 worlds', () => {
    const truth = measure(options(world(40_000, 6000, { student: 1 }, 999), 0)).of('student', 'auc').value!;
    let covered = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { low, high } = measure(options(world(120, 40, { student: 1 }, seed), 60)).of('student', 'auc');
      if (low! <= truth && truth <= high!) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(85);
  });
});

describe('paired resamples', () => {
  it('give identical models a difference of exactly 0', () => {
    const { set, models } = world(200, 30, { student: 1 });
    const twins = measure(
      options({ set, models: [...models, { model: 'two_tower', logits: models[0]!.logits }] }),
    );
    expect(pairedDifference(twins.of('student', 'auc'), twins.of('two_tower', 'auc'))).toEqual({
      value: 0,
      low: 0,
      high: 0,
    });
  });

  it('are narrower than the two intervals taken apart', () => {
    const measured = measure(options(world(400, 60, { two_tower: 0.6, student: 0.5 })));
    const [student, rival] = [measured.of('student', 'auc'), measured.of('two_tower', 'auc')];
    const difference = pairedDifference(student, rival);
    expect(difference.value).toBeCloseTo(student.value! - rival.value!, 12);
    expect(difference.high! - difference.low!).toBeLessThan(
      0.8 * Math.hypot(student.high! - student.low!, rival.high! - rival.low!),
    );
  });

  const fixed = (value: number | null, draws: number[]) => ({
    model: 'student' as const,
    metric: 'auc',
    value,
    low: null,
    high: null,
    n: 1,
    leftOut: 0,
    draws: Float64Array.from(draws),
  });

  it('give the share of the gap closed, draw by draw', () => {
    const closed = gapClosed(fixed(0.76, [0.76, 0.78]), fixed(0.7, [0.7, 0.7]), fixed(0.8, [0.8, 0.8]));
    expect(closed.value).toBeCloseTo(0.6, 12);
    expect(closed.low).toBeCloseTo(0.605, 12);
    expect(closed.high).toBeCloseTo(0.795, 12);
  });

  it('give no share where the teacher is not above the rival, and none where a value is undefined', () => {
    const none = { value: null, low: null, high: null };
    expect(gapClosed(fixed(0.8, [0.8]), fixed(0.7, [0.7]), fixed(0.7, [0.7]))).toEqual(none);
    expect(gapClosed(fixed(null, [NaN]), fixed(0.7, [0.7]), fixed(0.8, [0.8]))).toEqual(none);
    expect(pairedDifference(fixed(null, [NaN]), fixed(0.7, [0.7]))).toEqual(none);
  });

  it('take the 2.5 and 97.5 % quantiles of the resamples in which the value is defined', () => {
    const draws = Float64Array.from({ length: 202 }, (_, i) => (i % 2 ? NaN : 100 - i / 2));
    const { low, high } = percentileInterval(draws);
    expect(low).toBeCloseTo(2.5, 12);
    expect(high).toBeCloseTo(97.5, 12);
  });
});

describe('cost', () => {
  it('of 50 resamples of 20,000 rows and two models stays far below training (bound 3 s, measured .3 s)', () => {
    const rows = options(world(4500, 1500, { two_tower: 1, student: 0.5 }), 50);
    const started = performance.now();
    measure(rows);
    expect(performance.now() - started).toBeLessThan(3000);
  });
});
