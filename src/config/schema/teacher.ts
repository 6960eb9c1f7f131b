/** Settings of `teacher`: the ranker that teaches. */
import * as z from 'zod';
import { attention, cheapTerms } from './attention.js';
import { key, usualKind, share, width, hidden } from './parts.js';
import { budget } from './training.js';

const rankerTraining = {
  ...budget(4, 1),
  b_epochs: key(
    z.number().min(0).default(1),
    'passes over set B after A (RankFlow self-learning); 0 = A only',
  ),
  gate: key(
    z
      .strictObject({
        min_within_request_share: key(
          share.default(1e-4),
          "share of the variance of the teacher's vector that lies between candidates of one request, at least",
        ),
      })
      .prefault({}),
    'a teacher whose vector does not depend on the candidate stops the run (exit code 3)',
  ),
};

const attentionTeacher = z.strictObject({
  kind: usualKind('attention').describe(
    'target attention with a residual and similarity-started logits (reference-experiments.md)',
  ),
  ...attention,
  self_attention: key(
    z.boolean().default(true),
    'behaviours attend to each other first; its time grows with the square of samples.sequence.max_length: off beyond 1,000 or so',
  ),
  residual: key(
    z.boolean().default(true),
    'H = X Wr + MHA(X): without it all rows of H become the same mean and the teacher is dead',
  ),
  soft_count: key(
    z.boolean().default(true),
    'a term log(1 + sum of similarities) beside the attended vector, its weight started at 0',
  ),
  ...cheapTerms(false),
  ...rankerTraining,
});

const din = z.strictObject({
  kind: z
    .literal('din')
    .describe(
      'an MLP over user, item and a sum of behaviours weighted by an activation unit, without softmax (DIN)',
    ),
  width: key(width.default(32), 'width D of the weighted sum, which students may approximate'),
  unit_hidden: key(width.default(32), 'hidden width of the activation unit over [t, h, t - h, t * h]'),
  hidden: key(hidden.default([256, 128]), 'hidden widths of the MLP, ReLU inside'),
  ...cheapTerms(false),
  ...rankerTraining,
});

export const teacher = z.discriminatedUnion('kind', [attentionTeacher, din]);
