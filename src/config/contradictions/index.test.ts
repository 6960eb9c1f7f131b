import { expect, test } from 'vitest';
import { complaint, withLines } from '../../../test/support/pipeline.js';

test('contradictions are told together with other faults', () => {
  const codes = complaint(
    withLines('sead: 3\nteacher: {heads: 5, widht: 32}\neval: {teacher_top: 40}'),
  ).match(/config\.\w+/g);
  expect(codes).toEqual(['config.unknown_key', 'config.unknown_key', 'config.contradiction']);
});

test('what rests on a value that is itself at fault is not called a contradiction', () => {
  // teacher.width would be 30 and samples.b.max_candidates 50, had they been spelled rightly.
  const lines = 'teacher: {heads: 5, widht: 30}\nsamples: {b: {max_candidats: 50}}\neval: {teacher_top: 40}';
  expect(complaint(withLines(lines)).match(/config\.\w+/g)).toEqual([
    'config.unknown_key',
    'config.unknown_key',
  ]);
});
