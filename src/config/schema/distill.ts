/** Settings of `distill`: student, rivals, losses. */
import * as z from 'zod';
import { attention, cheapTerms } from './attention.js';
import { key, usualKind, count, share, weight, width } from './parts.js';
import { budget, schedule } from './training.js';

const tarq = z.strictObject({
  kind: z.literal('tarq').describe('target attention approximated by residual quantisation (tarq.md)'),
  ...attention,
  sequence: key(
    z.enum(['mean_pool', 'attention']).default('mean_pool'),
    'user tower: mean of behaviours, or self-attention and profile attention as in the paper (measured worse)',
  ),
  value_maps: key(
    z.enum(['per_level', 'shared']).default('per_level'),
    'levels >= 2 are signed residuals: they need their own map',
  ),
  level_gates: key(
    z.boolean().default(true),
    'learned weight per level: 1 at the first level, 0 at the others to start with',
  ),
  straight_through: key(
    z.boolean().default(true),
    'the candidate gets a gradient through the code it is looked up by',
  ),
  ...cheapTerms(true),
});

/** Attention evaluated at item codes and corrected to first order. */
const codeAttention = {
  width: key(width.default(32), 'width D of the attended vector'),
  similarity_start: key(
    z.number().positive().default(5),
    'first value of g, the sharpness of the similarity kernel exp(g cos)',
  ),
  recency: key(z.boolean().default(true), 'learned bias per age of a behaviour, started at 0'),
  soft_count: key(
    z.boolean().default(true),
    'the term log(1 + sum of similarities), its weight started at 0; most of what attention gains',
  ),
  tangent: key(
    z.boolean().default(true),
    'the soft count is corrected by its slope at the code times what the code misses',
  ),
  straight_through: key(z.boolean().default(true), 'the candidate gets the gradient that its code would get'),
  refit_every: key(
    z.int().min(0).default(30),
    'steps between refits of the codes by k-means from where they are; 0 = at the end of each epoch only',
  ),
  refit_iterations: key(count.default(2), "Lloyd's iterations of a refit"),
  ...cheapTerms(true),
};

const tangent = z.strictObject({
  kind: z
    .literal('tangent')
    .describe(
      'one code of many per item, and a tangent (tangent-codes.md): the cheapest per candidate, .001 to .002 AUC below prefix',
    ),
  codes: key(z.int().min(2).max(4096).default(256), 'codes; more where items are rich'),
  ...codeAttention,
});

const prefix = z.strictObject({
  kind: usualKind('prefix').describe(
    'sums of residual codes as one query, by recombining scores (tangent-codes.md): the best on validation where there is a gap, dearer per candidate than tangent',
  ),
  levels: key(z.int().min(2).max(8).default(3), 'residual levels'),
  codes: key(z.int().min(2).max(4096).default(64), 'codes per level'),
  ...codeAttention,
});

export const distill = z.strictObject({
  student: key(
    z.discriminatedUnion('kind', [prefix, tangent, tarq]).prefault({}),
    'the pre-ranker that is distilled',
  ),
  rivals: key(
    z
      .array(z.enum(['two_tower_cosine', 'two_tower_cosine_recency', 'match_count']))
      .default(['two_tower_cosine', 'two_tower_cosine_recency', 'match_count']),
    'cheap rivals trained beside the two-tower; a gap is stated against the best of them',
  ),
  teacher: key(
    z.enum(['frozen', 'joint', 'logged']).default('frozen'),
    'frozen: trained once, then fixed; joint: trained on inside the step with its own click loss; logged: your ranker, by the scores that it left in the logs: none is trained, `teacher` has no effect, and only losses.tutor teaches',
  ),
  logged_scores: key(
    z
      .strictObject({
        column: key(
          z.enum(['rank_score', 'teacher_logit']).default('rank_score'),
          'column of `candidates`: what the ranker gave when it served, or what was scored offline; a candidate without a value has no teacher',
        ),
        unit: key(
          z.enum(['logit', 'probability']).default('logit'),
          'log-odds as they are, or probabilities, which become log-odds',
        ),
      })
      .prefault({}),
    'where `teacher: logged` takes its scores from',
  ),
  ...budget(4, 1),
  losses: key(
    z
      .strictObject({
        click_a: key(weight.default(1), 'binary cross-entropy on set A'),
        click_b: key(
          weight.default(0),
          'binary cross-entropy on set B; models trained on exposures alone have 0',
        ),
        tutor: key(weight.default(0), "RankFlow's tutor loss on set C: candidates with a teacher's score"),
        tutor_alpha: key(share.default(0.5), 'share of its rank part; the rest is the squared difference'),
        tutor_top: key(count.default(10), 'candidates the ranker passes on: top of the rank part'),
        tutor_on: key(z.enum(['logits', 'probabilities']).default('logits'), 'what the tutor loss compares'),
        alignment: key(
          weight.optional(),
          'codebook alignment; where it is not given .01 for tarq, which it was made for, and 0 for other students',
        ),
        alignment_attached: key(
          z.boolean().default(false),
          "gradient to raw codes and encoder as in the authors' code; measured: it collapses the codebooks",
        ),
        alignment_sharpness: key(
          weight.default(8),
          "a request's distances are scaled to this mean before the softmax, so that the loss lives at any scale of embeddings; 0 = as the paper",
        ),
        alignment_requests: key(count.default(128), 'requests of a step that the alignment is computed on'),
        reconstruction: key(
          weight.default(0),
          "half squared distance of student's and teacher's vector; 1 in the paper, which costs tarq .005 AUC",
        ),
        vector_schedule: key(
          schedule.prefault({}),
          'share of the weights of alignment and reconstruction over the steps of the budget',
        ),
        autoencoder: key(weight.default(1), 'RQ-VAE loss that goes on during distillation'),
      })
      .prefault({}),
    'weights of the loss terms; every term is logged by name',
  ),
});
