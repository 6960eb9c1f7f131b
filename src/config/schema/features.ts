/** Settings of `features`: what the models see. */
import * as z from 'zod';
import { key, count, width } from './parts.js';

const column = z
  .string()
  .regex(
    /^(requests|users|items)\.[a-z_][a-z0-9_]*$/,
    'a column like items.author_id, users.age or requests.ctx_hour',
  );
const name = z.string().regex(/^[a-z][a-z0-9_]*$/, 'a name in snake_case');
const featureName = key(name, 'name of the feature', 'item_id');
const featureColumn = key(column, 'column it is read from', 'items.item_id');
const minCount = key(
  count.optional(),
  'values seen less often on training exposures share the out-of-vocabulary row; default features.min_count',
);
const nulls = key(
  z.enum(['own_row', 'out_of_vocabulary', 'error']).default('own_row'),
  'a null: its own row, the out-of-vocabulary row, or an error',
);

const feature = z.discriminatedUnion('kind', [
  z.strictObject({
    name: featureName,
    kind: z.literal('id').describe('one row per value seen in training'),
    column: featureColumn,
    min_count: minCount,
    nulls,
  }),
  z.strictObject({
    name: featureName,
    kind: z.literal('hashed').describe('md5 of the value into a fixed number of rows; nothing to fit'),
    column: featureColumn,
    buckets: key(z.int().min(2), 'embedding rows of the feature', 10_000),
    nulls,
  }),
  z.strictObject({
    name: featureName,
    kind: z.literal('bucketised').describe('a number cut at boundaries'),
    column: featureColumn,
    boundaries: key(
      z.array(z.number()).min(1),
      'ascending; value < boundary falls into the bucket before it',
      [10, 30, 60],
    ),
    nulls,
  }),
  z.strictObject({
    name: featureName,
    kind: z
      .literal('numeric')
      .describe('a number, standardised on training exposures, entering the towers as it is'),
    column: featureColumn,
    transform: key(z.enum(['none', 'log1p']).default('none'), 'applied before standardising'),
    nulls: key(
      z.enum(['mean', 'error']).default('mean'),
      'a null: the mean, with an indicator set; or an error',
    ),
  }),
  z.strictObject({
    name: featureName,
    kind: z.literal('multi_valued').describe('a list of values; their rows are averaged'),
    column: featureColumn,
    max_values: key(z.int().min(1).max(64).default(8), 'values kept, in the order of the list'),
    min_count: minCount,
    nulls,
  }),
  z.strictObject({
    name: featureName,
    kind: z.literal('cross').describe('a combination of columns as one value'),
    columns: key(z.array(column).min(2).max(4), 'the columns combined, all of the same table', [
      'items.category',
      'items.author_id',
    ]),
    min_count: minCount,
    nulls,
  }),
]);

export const features = z.strictObject({
  width: key(width.default(16), 'width of every embedding'),
  init_scale: key(
    z.number().positive().default(0.05),
    'standard deviation of the first embeddings; it matters more than most architecture: 0.01 is best where users and items are seen often (KuaiRand), 0.1 where matching must be learned (Taobao)',
  ),
  min_count: key(
    count.default(2),
    'values seen less often on training exposures share the out-of-vocabulary row',
  ),
  user: key(z.array(feature).min(1), 'user features, columns of users or requests', [
    { name: 'user_id', kind: 'id', column: 'requests.user_id' },
  ]),
  item: key(z.array(feature).min(1), 'item features, columns of items', [
    { name: 'item_id', kind: 'id', column: 'items.item_id' },
  ]),
  context: key(z.array(feature).default([]), 'context of the request; enters on the user side'),
  sequence: key(
    z.array(name).default([]),
    "item features that describe a behaviour, sharing the candidate's tables; empty = no sequence",
  ),
});
