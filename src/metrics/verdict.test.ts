import { describe, expect, it } from 'vitest';
import { Measurements } from './measure.js';
import type { ModelName } from './metricRow.js';
import { bracket, decimals, percent } from './numbers.js';
import { gapClosedRow, verdict as verdictWith } from './verdict.js';

const verdict = (measurements: Measurements, noTeacher?: string) =>
  verdictWith(measurements, 'try something else', noTeacher);

/**
 * AUCs with resamples that wobble together by ±.01, and each model by its own `noise` against the others: paired differences then
 * have an interval of about twice the noise.
 */
function measured(
  aucs: Partial<Record<ModelName, number | null>>,
  noise = 0.001,
  resamples = 41,
): Measurements {
  const all = Object.entries(aucs).map(([model, value], i) => ({
    model: model as ModelName, // the keys of the record above
    metric: 'auc',
    value,
    low: null,
    high: null,
    n: 1000,
    leftOut: 0,
    draws: Float64Array.from({ length: resamples }, (_, r) =>
      value === null ? Number.NaN : value + 0.01 * Math.sin(r) + noise * Math.sin(1.7 * r * (i + 1)),
    ),
  }));
  return new Measurements(all);
}

const rivals = { two_tower: 0.7401, two_tower_cosine: 0.742, match_count: 0.745 };

describe('the verdict', () => {
  it('says how far the student is above its two-tower and how much of the gap it closes', () => {
    const { sentence, facts } = verdict(measured({ ...rivals, teacher: 0.788, student: 0.7712 }));
    expect(sentence).toMatchInlineSnapshot(
      `"Student .7712 beats the two-tower .7401 by .0311 [.0293, .0329] on test days and closes 61 % [58, 64] of the gap between the best simple rival (match_count .7450) and the teacher .7880."`,
    );
    expect(facts).toMatchObject({
      outcome: 'better',
      student: 0.7712,
      baseline: { model: 'two_tower', value: 0.7401 },
      rival: { model: 'match_count', value: 0.745 },
      teacher: 0.788,
      gap: { open: true },
    });
    expect(facts.closed.value).toBeCloseTo(0.6093, 4);
    expect(facts.gap?.value).toBeCloseTo(0.043, 10);
  });

  it('says so when the student beats the two-tower but not the best simple rival', () => {
    const { sentence, facts } = verdict(
      measured({ ...rivals, match_count: 0.78, teacher: 0.8, student: 0.7712 }),
    );
    expect(sentence).toMatchInlineSnapshot(
      `"Student .7712 beats the two-tower .7401 by .0311 [.0293, .0329] on test days, but is below match_count by .0088 [.0071, .0107]: it closes none of the gap between the best simple rival (match_count .7800) and the teacher .8000."`,
    );
    expect(facts.closed.value).toBeLessThan(0);
  });

  it('says level when the paired interval holds 0', () => {
    const { sentence, facts } = verdict(measured({ two_tower: 0.74, teacher: 0.788, student: 0.7405 }));
    expect(sentence).toMatchInlineSnapshot(
      `"Student .7405 is level with the two-tower .7400 (difference .0005 [-.0014, .0025]) on test days and closes 1 % [-3, 5] of the gap between the best simple rival (two_tower .7400) and the teacher .7880."`,
    );
    expect(facts.outcome).toBe('level');
  });

  it('says WORSE first, and what to try', () => {
    const { sentence, facts } = verdict(measured({ ...rivals, teacher: 0.788, student: 0.73 }));
    expect(sentence).toMatchInlineSnapshot(
      `"WORSE: the student .7300 is below its own two-tower .7401 by .0101 [.0083, .0119] on test days, and closes none of the gap between the best simple rival (match_count .7450) and the teacher .7880; try something else."`,
    );
    expect(facts.outcome).toBe('worse');
  });

  it('says no gap, and gives no share, when the interval of teacher − best rival holds 0', () => {
    const { sentence, facts } = verdict(
      measured({ two_tower: 0.741, match_count: 0.72, teacher: 0.7412, student: 0.7409 }),
    );
    expect(sentence).toMatchInlineSnapshot(
      `"No gap: on this data the teacher .7412 is not above the best simple rival (two_tower .7410, difference .0002 [-.0017, .0022]); student .7409 is level with the two-tower .7410 (difference -.0001 [-.0018, .0018]) on test days."`,
    );
    expect(facts.gap).toMatchObject({ open: false });
    expect(facts.closed).toEqual({ value: null, low: null, high: null });
  });

  it('says no gap too when the teacher is below the rival, even where the student is better', () => {
    const { sentence } = verdict(measured({ two_tower: 0.741, teacher: 0.73, student: 0.75 }));
    expect(sentence).toMatch(/^No gap: .*; student .7500 beats the two-tower/);
  });

  it('says no gap and the better simple rival, where the student is below it', () => {
    const { sentence } = verdict(
      measured({ two_tower: 0.741, match_count: 0.77, teacher: 0.75, student: 0.76 }),
    );
    expect(sentence).toMatch(
      /^No gap: .*; student .7600 beats the two-tower .*, but is below match_count by .0100/,
    );
  });

  it('says WORSE and no gap together, and what to ship', () => {
    const { sentence } = verdict(measured({ two_tower: 0.741, teacher: 0.7404, student: 0.73 }));
    expect(sentence).toMatchInlineSnapshot(
      `"WORSE: the student .7300 is below its own two-tower .7410 by .0110 [.0090, .0129] on test days, and there is no gap to close: the teacher .7404 is not above the best simple rival (two_tower .7410, difference -.0006 [-.0023, .0011]); ship two_tower."`,
    );
  });

  it('judges nothing without intervals', () => {
    const { sentence, facts } = verdict(measured({ ...rivals, teacher: 0.788, student: 0.7712 }, 0, 0));
    expect(sentence).toMatchInlineSnapshot(
      `"No verdict: student .7712, two-tower .7401 on test days, difference .0311; there is no interval (eval.bootstrap is 0, or there is one user only)."`,
    );
    expect(facts).toMatchObject({ outcome: 'unjudged', closed: { value: null } });
  });

  it('states no gap without a teacher', () => {
    const { sentence, facts } = verdict(measured({ ...rivals, student: 0.7712 }));
    expect(sentence).toMatch(/^Student .7712 beats .*; there is no teacher, so no gap is stated\.$/);
    const partial = verdict(measured({ ...rivals, student: 0.7712 }), 'the logs have no score for 3 of 9');
    expect(partial.sentence).toBe(
      sentence.replace('there is no teacher', 'the logs have no score for 3 of 9'),
    );
    expect(facts).toMatchObject({ teacher: null, gap: null, closed: { value: null } });
  });

  it('is none when the AUC is undefined', () => {
    const { sentence, facts } = verdict(measured({ two_tower: null, student: null, teacher: null }));
    expect(sentence).toMatchInlineSnapshot(
      `"No verdict: the AUC on test days is undefined, since all rows are of one class."`,
    );
    expect(facts).toMatchObject({ outcome: 'unjudged', student: null });
  });

  it('needs a student and a two-tower', () => {
    expect(() => verdict(measured({ two_tower: 0.7 }))).toThrow('auc of student was not measured');
  });

  it('leaves the share of the gap as a row of the metrics table, null where there is no gap', () => {
    const place = { split: 'test', set: 'a', slice: 'all' } as const;
    const { facts } = verdict(measured({ two_tower: 0.741, teacher: 0.7412, student: 0.7409 }));
    expect(gapClosedRow(facts, place, 1000)).toEqual({
      model: 'student',
      ...place,
      metric: 'gap_closed',
      value: null,
      low: null,
      high: null,
      n: 1000,
    });
  });
});

describe('numbers', () => {
  it('have four decimals, no leading zero, and no sign when they round to 0', () => {
    expect([0.77123, -0.0014, 1.25, -0.00001, 0].map((x) => decimals(x))).toEqual([
      '.7712',
      '-.0014',
      '1.2500',
      '.0000',
      '.0000',
    ]);
    expect([0.614, -0.152, 1.046].map(percent)).toEqual(['61', '-15', '105']);
    expect(bracket({ value: 1, low: -0.5, high: null })).toBe('');
  });
});
