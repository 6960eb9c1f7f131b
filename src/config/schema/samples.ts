/** Settings of `samples`: sets A and B, sequences, split. */
import * as z from 'zod';
import { key, usualKind, count, day } from './parts.js';

const split = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: usualKind('days').describe('the last days of the log, however long it is'),
    validation: key(count.default(1), 'days of validation, right before the test days'),
    test: key(count.default(1), 'days of test, the last of the log'),
  }),
  z.strictObject({
    kind: z.literal('dates').describe('fixed days'),
    validation_from: key(day, 'first day of validation; train is everything before', '2022-05-06'),
    test_from: key(day, 'first day of test; validation ends the day before', '2022-05-07'),
  }),
]);

const negatives = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('uniform').describe('any item that is valid at the time of the request'),
    per_request: key(count, 'drawn per request', 4),
  }),
  z.strictObject({
    kind: z.literal('popularity').describe('items in proportion to count^power over training days'),
    per_request: key(count, 'drawn per request', 4),
    power: key(
      z.union([z.literal(0.25), z.literal(0.5), z.literal(0.75), z.literal(1)]).default(0.75),
      'exponent of the count; these four are exact on every SQL engine',
    ),
  }),
]);

const events = [
  'click',
  'long_view',
  'like',
  'follow',
  'comment',
  'share',
  'hate',
  'page_view',
  'cart',
  'favourite',
  'buy',
  'exposure',
  'rating',
] as const;

export const samples = z.strictObject({
  label: key(
    z.enum(['click', 'long_view', 'like', 'follow', 'share', 'comment', 'buy']).default('click'),
    'feedback column that is the label',
  ),
  split: key(split.prefault({}), 'by time: train days < validation days < test days'),
  sequence: key(
    z
      .strictObject({
        events: key(z.array(z.enum(events)).min(1).default(['click']), 'behaviours that enter the sequence'),
        max_length: key(
          z.int().min(1).max(10_000).default(50),
          'latest behaviours kept per request; a step takes time and memory for as many, also where users have fewer',
        ),
        delay_seconds: key(
          z.number().min(0).default(0),
          'logging delay: only events before request time minus this are seen (measured p99 in production)',
        ),
      })
      .prefault({}),
    "the user's behaviours strictly before the request",
  ),
  a: key(
    z
      .strictObject({
        max_candidates: key(count.default(64), 'exposures of a request beyond this are an error, not cut'),
      })
      .prefault({}),
    'set A: exposures with their labels',
  ),
  b: key(
    z
      .strictObject({
        one_in: key(count.default(1), 'requests per sampled request: 4 = every fourth, drawn by hash'),
        max_candidates: key(
          z.int().min(2).default(32),
          'logged candidates kept of a request; exposures always are',
        ),
        ranked_top: key(
          count.default(10),
          "the ranker's top candidates that are always kept, where ranks are logged",
        ),
        weight_cap: key(z.number().min(1).default(20), 'largest weight 1/incl_prob of a candidate'),
        negatives: key(
          z.array(negatives).default([]),
          'negatives drawn from the corpus, on top of the logged ones',
        ),
      })
      .prefault({}),
    'set B: the truncated retrieval space, label 0 where not exposed; set C is B with teacher scores',
  ),
});
