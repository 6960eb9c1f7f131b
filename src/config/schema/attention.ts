/** Settings that teacher and student have in common. */
import * as z from 'zod';
import { key, count, weight, width } from './parts.js';

export const attention = {
  width: key(width.default(32), 'width D of attention outputs'),
  heads: key(count.default(2), 'attention heads'),
  similarity_start: key(
    weight.default(5),
    'first value of g in logits += g cos(candidate, behaviour); without it nothing depends on the target (0 = as the paper)',
  ),
  recency: key(z.boolean().default(true), 'learned bias per age of a behaviour, started at 0'),
};

/** Terms that teacher and student may carry on top of its own. Each starts at weight 0, so that data decides. `on`: unless told otherwise. */
export const cheapTerms = (on: boolean) => ({
  raw_cosine: key(
    z.enum(['off', 'plain', 'recency']).default(on ? 'recency' : 'off'),
    'a term of the cosine between candidate and pooled raw embeddings of the behaviours: their mean, or weighted by a learned recency',
  ),
  match_counts: key(
    z.boolean().default(on),
    "a term of how often the candidate's values occur in the sequence, per shared feature",
  ),
});
