import { describe, expect, it } from 'vitest';
import { CascadeError } from '../errors.js';
import { ascendingOrder } from './order.js';
import { scoredModel, sigmoid } from './scoredModel.js';
import { layoutOf, pick, selectRequests, withoutGaps, type ScoredSet } from './scoredSet.js';

const set: ScoredSet = {
  offsets: Int32Array.of(0, 2, 2, 5, 6),
  user: Int32Array.of(0, 1, 2, 1),
  labels: Uint8Array.of(1, 0, 0, 1, 1, 0),
  teacher: Float32Array.of(1, 2, 3, 4, 5, 6),
};

describe('a scored set', () => {
  it('knows the request and user of each candidate, and weighs all the same when it has no weights', () => {
    const layout = layoutOf(set);
    expect([...layout.requestOf]).toEqual([0, 0, 2, 2, 2, 3]);
    expect([...layout.userOf]).toEqual([0, 0, 2, 2, 2, 1]);
    expect([...layout.weights]).toEqual([1, 1, 1, 1, 1, 1]);
    expect(layout).toMatchObject({ requests: 4, candidates: 6, users: 3 });
    expect([...layout.teacher!.bestFirst]).toEqual([1, 0, 4, 3, 2, 5]);
  });

  it('is cut to some requests with its users renumbered, and scores are picked alike', () => {
    const { set: part, candidates } = selectRequests(set, [3, 2]);
    expect(part).toEqual({
      offsets: Int32Array.of(0, 1, 4),
      user: Int32Array.of(0, 1),
      labels: Uint8Array.of(0, 0, 1, 1),
      teacher: Float32Array.of(6, 3, 4, 5),
    });
    expect([...pick(Float32Array.of(0, 10, 20, 30, 40, 50), candidates)]).toEqual([50, 20, 30, 40]);
  });

  it('has its users numbered as they come, and shares all else', () => {
    const numbered = withoutGaps({ ...set, user: Int32Array.of(7, 3, 900, 3) });
    expect(numbered).toEqual({ ...set, user: Int32Array.of(0, 1, 2, 1) });
    expect(numbered.labels).toBe(set.labels);
    expect(numbered.teacher).toBe(set.teacher);
  });

  it.each([
    ['offsets that fall', { offsets: Int32Array.of(0, 3, 2, 5, 6) }, /never fall/],
    ['a user too few', { user: Int32Array.of(0) }, /4 requests has 1 users/],
    ['labels too few', { labels: Uint8Array.of(1) }, /6 candidates has 1 labels/],
    ['teacher scores too few', { teacher: Float32Array.of(1) }, /6 candidates has 1 teacher/],
    ['grades for labels', { labels: Uint8Array.of(1, 2, 0, 0, 0, 0) }, /must be 0 or 1/],
  ])('with %s is a fault of ours', (_, wrong, message) => {
    expect(() => layoutOf({ ...set, ...wrong })).toThrow(message);
  });
});

describe('scores of a model', () => {
  it('that are not finite stop the evaluation with their number and first place (model.non_finite_score)', () => {
    const logits = Float32Array.of(0, 1, Number.NaN, 2, Infinity, 3);
    try {
      scoredModel(layoutOf(set), logits, 'student');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CascadeError);
      expect((error as CascadeError).problems).toMatchInlineSnapshot(`
        [
          {
            "code": "model.non_finite_score",
            "mend": "Train it again with a lower training.optimizer.learning_rate or with training.clip_norm: 1.",
            "subject": "student",
            "what": "student gives 2 of 6 candidates a score that is not a finite number; the first is NaN, at candidate 2.",
          },
        ]
      `);
    }
  });

  it('of another length than the set are a fault of ours', () => {
    expect(() => scoredModel(layoutOf(set), Float32Array.of(1))).toThrow('1 scores for 6 candidates');
  });

  it('become probabilities without overflow', () => {
    expect([sigmoid(-1e4), sigmoid(0), sigmoid(1e4)]).toEqual([0, 0.5, 1]);
    expect(sigmoid(-2) + sigmoid(2)).toBeCloseTo(1, 15);
  });

  it('are sorted as a stable sort by value would, over the whole range of float32', () => {
    const scores = Float32Array.of(3, -1, 0, -0, 3e38, -3e38, 1e-45, -1e-45, 3, -1, 2.5, 0);
    const expected = Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
    expect([...ascendingOrder(scores)]).toEqual(expected);
  });
});
