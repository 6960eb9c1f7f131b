/** Settings of `codebook`: item codes. */
import * as z from 'zod';
import { key, usualKind, count, share, weight, width, hidden } from './parts.js';

const codeUpdates = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: usualKind('gradient').describe('every loss that sees a code moves it, as it does any weight'),
  }),
  z.strictObject({
    kind: z
      .literal('ema')
      .describe('codes are moving averages of the item latents that choose them; no loss moves them'),
    decay: key(z.number().gt(0).lt(1).default(0.99), 'share of the average that a step keeps'),
  }),
]);

const assignment = z.discriminatedUnion('kind', [
  z.strictObject({ kind: usualKind('nearest').describe('each item chooses its nearest code') }),
  z.strictObject({
    kind: z
      .literal('sinkhorn')
      .describe('each code is given about as many items of a step as any other (optimal transport)'),
    epsilon: key(
      z.number().min(1e-4).max(1).default(0.01),
      'softness: distances are scaled to [-1, 1] and divided by this; a smaller one is nearer to exact and needs more iterations, some 2 / epsilon at most',
    ),
    iterations: key(z.int().min(1).max(1000).default(100), 'balancing rounds per level and step'),
  }),
]);

const itemVectors = z.strictObject({
  path: key(
    z.string(),
    'Parquet file, folder or glob, one row per item; items that the logs do not know are passed over',
    '../data/item_vectors.parquet',
  ),
  id_column: key(z.string().default('item_id'), "column with the item's id, a whole number as in `items`"),
  vector_column: key(
    z.string().default('vector'),
    'column with its vector, a list of numbers of the same length in every row; only its direction counts',
  ),
  min_coverage: key(
    share.default(0.9),
    'share of the items that must have a vector; those without stand at the mean of all directions, where what they resemble is not known. 1 = all must',
  ),
});

export const codebook = z.strictObject({
  item_vectors: key(
    itemVectors.optional(),
    'your own content or graph embeddings of items: items are coded by these and behaviours compared by them, instead of by what is learned. `tangent` and `prefix` cost a multiply-add per number of a vector and candidate: give wide ones as a projection to 32-128',
  ),
  warm_up: key(
    z.number().min(0).default(0.3),
    "epochs of two-tower and autoencoder training before codes start, part of the student's budget; a whole epoch wastes KuaiRand's only good one",
  ),
  structure: key(
    z.enum(['residual', 'product']).default('residual'),
    'each level codes what the levels before leave of the latent, or has a part of its coordinates for itself',
  ),
  levels: key(z.int().min(1).max(8).default(3), 'residual levels, or parts'),
  codes: key(z.int().min(2).max(4096).default(64), 'codes per level'),
  distance: key(
    z.enum(['euclidean', 'cosine']).default('euclidean'),
    'an item chooses its codes by distance, or by direction alone; the alignment compares distances in both cases',
  ),
  latent_width: key(width.default(32), 'width of item latent and codes'),
  encoder_hidden: key(hidden.default([64]), 'hidden widths of the item encoder, ReLU inside, linear end'),
  decoder_hidden: key(
    hidden.default([]),
    'hidden widths of the decoder; [] = linear, so that the decoded code of a single level has a meaning',
  ),
  start: key(
    z.enum(['kmeans', 'random']).default('kmeans'),
    'first codes: k-means on what the levels before leave, or normal draws with its mean and spread (the control)',
  ),
  kmeans_iterations: key(count.default(20), "Lloyd's iterations per level of a k-means start"),
  steps: key(z.int().min(0).default(400), 'RQ-VAE steps after the start'),
  items_per_step: key(count.default(512), 'items in an RQ-VAE step'),
  learning_rate: key(z.number().positive().default(1e-3), 'Adam step size of the RQ-VAE steps'),
  assignment: key(
    assignment.prefault({}),
    'how items get codes in RQ-VAE steps; everywhere else the nearest code counts',
  ),
  commitment: key(weight.default(0.25), 'weight beta that ties the encoder to its codes'),
  gradient: key(
    z.enum(['straight_through', 'rotation']).default('straight_through'),
    "what the decoder's gradient does at the codes: it passes as it is, or turned and scaled as the latent was to become its codes (rotation trick)",
  ),
  quantizer_dropout: key(
    share.default(0),
    'share of the items of an RQ-VAE step that use only some of the first levels, so that prefixes of codes mean something; 0 = never',
  ),
  updates: key(codeUpdates.prefault({}), 'what moves the codes in RQ-VAE steps and in distillation'),
  dead_codes: key(
    z
      .strictObject({
        restart_below: key(
          z.number().min(0).lt(1).default(0),
          'a code that fewer items choose than this share of an even share is put on the latent of a random item, in RQ-VAE steps and in distillation; 0 = never',
        ),
        restart_every: key(count.default(100), 'steps between looks for dead codes'),
      })
      .prefault({}),
    'codes that hardly any item chooses; the training log counts `restarts`',
  ),
  gate: key(
    z
      .strictObject({
        min_usage: key(share.default(0.5), 'share of its codes (of its ceiling) that every level must use'),
        min_perplexity_share: key(
          share.default(0.15),
          'perplexity of a level divided by its codes (by its ceiling), at least',
        ),
        max_relative_error: key(
          z.number().positive().default(0.9),
          'error after the last level relative to the variance, at most',
        ),
      })
      .prefault({}),
    'a codebook below this stops the run (exit code 3) before hours are spent on it',
  ),
});
