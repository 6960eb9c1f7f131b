import { expect, test } from 'vitest';
import { studentConfig } from '../../test/support/trainingConfig.js';
import { advice } from './advice.js';

test('names settings that the student does not have yet', () => {
  expect(advice(studentConfig('tarq'))).toBe(
    'try distill.student.kind=prefix, distill.losses.alignment=0, distill.student.match_counts=true, more distill.epochs',
  );
  expect(advice(studentConfig('tangent', { match_counts: true }))).toBe(
    'try distill.student.raw_cosine=recency, distill.student.codes=1024, more distill.epochs',
  );
  const all = { match_counts: true, raw_cosine: 'recency', codes: 4096 };
  expect(advice(studentConfig('tangent', all))).toBe('try more distill.epochs');
});
