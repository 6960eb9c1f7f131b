import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newFolder } from '../../test/support/program.js';
import { readTeacherScores, teacherRanks, writeTeacherScores } from './teacherScores.js';

const offsets = Int32Array.of(0, 4, 4, 7);
const ids = BigInt64Array.of(40n, 30n, 20n, 10n, 1n, 2n, 3n);

it('ranks by logit within each request, ties by item id', () => {
  const logit = Float32Array.of(1, 2, 1, 0, -1, 5, 3);
  expect([...teacherRanks(offsets, logit, ids)]).toEqual([3, 1, 2, 4, 3, 1, 2]);
});

it('ranks only what has a score: the others have no rank and push nobody down', () => {
  const logit = Float32Array.of(NaN, 2, 3, NaN, NaN, NaN, NaN);
  expect([...teacherRanks(offsets, logit, ids)]).toEqual([0, 2, 1, 0, 0, 0, 0]);
});

it('keeps missing scores through the file', async () => {
  const path = join(newFolder('scores'), 'scores.arrow');
  const scores = {
    logit: Float32Array.of(NaN, 2, 3, 4, NaN, 0, -1),
    rank: Int32Array.of(0, 3, 2, 1, 0, 1, 2),
  };
  await writeTeacherScores(path, offsets, scores);
  expect(readTeacherScores(path)).toEqual({ offsets, ...scores });
});
