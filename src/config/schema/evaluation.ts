/** Settings of `eval`. */
import * as z from 'zod';
import { key, count } from './parts.js';

export const evaluation = z.strictObject({
  cutoffs: key(z.array(count).min(1).default([1, 5, 10]), 'k of ndcg@k and recall@k'),
  teacher_top: key(count.default(5), "the ranker's picks that recall against the teacher looks for"),
  bootstrap: key(z.int().min(0).default(500), 'resamples of users for the intervals; 0 = none'),
  slices: key(
    z.array(z.string().regex(/^requests\.[a-z_][a-z0-9_]*$/, 'a column like requests.scene')).default([]),
    'columns whose values get rows of their own',
  ),
});
