import { tf } from '../engine/tf.js';
import { beforeAll, expect, it } from 'vitest';
import { primedFactor } from './primed.js';
import { recencyBias, recencyInitial } from './recency.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Which logit each age has. */
function logitOfAges(behaviours: number): number[] {
  const count = recencyInitial(behaviours).recency!.shape[0]!;
  return [...recencyBias({ recency: tf.div(tf.range(0, count), primedFactor) }, behaviours).dataSync()].map(
    Math.round,
  );
}

it.each([1, 50, 512])('gives each of %s ages a logit of its own', (behaviours) => {
  expect(logitOfAges(behaviours)).toEqual(Array.from({ length: behaviours }, (_, age) => age));
});

it('shares logits between ages beyond 512, in groups that grow with age and leave no logit out', () => {
  const logits = logitOfAges(10_000);
  expect(logits.slice(0, 513)).toEqual(logitOfAges(513));
  logits.forEach((logit, age) => {
    if (age > 0) expect(logit - logits[age - 1]!).toBeOneOf([0, 1]);
  });
  expect(logits.at(-1)! + 1).toBe(recencyInitial(10_000).recency!.shape[0]);
  expect(logits.at(-1)! + 1).toBe(650);
  const sizeOf = (age: number) => logits.filter((logit) => logit === logits[age]).length;
  expect(sizeOf(520)).toBeLessThan(13);
  expect(sizeOf(9000)).toBeGreaterThan(180);
});
