/**
 * The one truth about a pipeline's settings: types, defaults, ranges, and the sentence that documents each key. The checks of
 * `load.ts`, the JSON Schema, the commented file of `cascade init` and the TypeScript types all come from here.
 *
 * Keys are snake_case as in YAML; `Config` (config.ts) is the same tree in camelCase. Contradictions between sections are in
 * `contradictions.ts`. Defaults that are not the literature's come from measurements: see the description.
 */
import * as z from 'zod';

/** A key with its documentation, and an example where it has no default; every key of the schema is made by this. */
const key = <T extends z.ZodType>(type: T, description: string, example?: unknown): T =>
  type.meta(example === undefined ? { description } : { description, examples: [example] });

/** The kind that a section has when it names none, so that one of its other keys can be set alone. */
const usualKind = <K extends string>(kind: K) =>
  z
    .literal(kind)
    .optional()
    .default(kind as z.util.NoUndefined<K>);

const count = z.int().positive();
const share = z.number().min(0).max(1);
const weight = z.number().min(0);
const width = z.int().min(1).max(4096);
const day = z.iso.date('a day like 2022-05-06');
const utcOffset = z.string().regex(/^[+-](0\d|1[0-4]):[0-5]\d$/, 'an offset from UTC like +08:00');
const bytes = z.string().regex(/^\d+(\.\d+)?(MB|GB)$/, 'a size like 512MB or 2GB');
const hidden = z.array(width);

// ---------------------------------------------------------------------------------------------------------------- logs

const retrieval = z
  .strictObject({
    one_in: key(count.default(4), 'requests per simulated candidate list: 4 = every fourth request gets one'),
    candidates: key(
      z.int().min(2).max(1000).default(16),
      'candidates a simulated list holds beside the exposures',
    ),
    popularity_share: key(
      share.default(0.5),
      'share of them from the popularity channel; the rest come from co-occurrence with the latest behaviours',
    ),
  })
  .prefault({});

const kuairand = z.strictObject({
  kind: z
    .literal('kuairand')
    .describe('KuaiRand-Pure: real exposures of a short-video app, 2022-04-25 to 2022-05-08'),
  source: key(z.string(), 'folder with the five files of KuaiRand-Pure', '../data/kuairand-pure'),
  time_zone: key(utcOffset.default('+08:00'), 'offset from UTC that days and hours are counted in'),
  retrieval: key(
    retrieval,
    'the data has exposures only: a simulated retrieval, fitted on days before the request, adds candidates',
  ),
});

const taobao = z.strictObject({
  kind: z
    .literal('taobao')
    .describe(
      'Taobao UserBehavior: what users viewed and bought, 2017-11-25 to 2017-12-03; negatives are drawn',
    ),
  source: key(z.string(), 'folder with files of Taobao UserBehavior', '../data/taobao-userbehavior'),
  files: key(
    z
      .array(z.string().regex(/\.csv(\.gz)?$/, 'a name that ends in .csv or .csv.gz'))
      .min(1)
      .default(['user_behavior_head.csv.gz', 'user_behavior_tail.csv.gz']),
    'CSV files of it, plain or gzipped, relative to logs.source; all are read as one',
  ),
  time_zone: key(utcOffset.default('+08:00'), 'offset from UTC that days and hours are counted in'),
  negatives: key(
    z
      .strictObject({
        per_positive: key(
          z.int().min(1).max(100).default(4),
          'drawn per request, beside its positive; never an item that the user touched',
        ),
        parts_from: key(
          z.array(day).default(['2017-12-02', '2017-12-03']),
          'days that begin a part; a negative is what another user first touched in the same part. Give the first days of validation and test, so that nothing drawn for training comes from later',
        ),
      })
      .prefault({}),
    'the data has no exposures: what a request has beside its positive is drawn, in proportion to popularity',
  ),
  retrieval: key(
    retrieval,
    'a simulated retrieval, fitted on days before the request, adds candidates for set B',
  ),
});

/** Where a canonical table is read from: a Parquet file, glob or folder, and the user's names of its columns. */
const mapped = (table: string) =>
  z.strictObject({
    path: key(
      z.string(),
      `Parquet file or glob of \`${table}\`, relative to logs.source`,
      `${table}/*.parquet`,
    ),
    columns: key(
      z.record(z.string(), z.string()).default({}),
      'canonical column: your column, where the names differ',
    ),
  });

const tables = z.strictObject({
  kind: z.literal('tables').describe('your own Parquet tables'),
  source: key(z.string(), 'folder that the paths below are relative to', '../data/tables'),
  time_zone: key(utcOffset.default('+00:00'), 'offset from UTC that days and hours are counted in'),
  requests: key(mapped('requests'), 'one row per request', { path: 'requests/*.parquet' }),
  candidates: key(mapped('candidates'), 'one row per request and item', { path: 'candidates/*.parquet' }),
  feedback: key(mapped('feedback'), 'one row per exposed request and item', { path: 'feedback/*.parquet' }),
  behaviours: key(mapped('behaviours').optional(), 'one row per user event; from feedback when left out'),
  items: key(mapped('items').optional(), 'one row per item; ids without attributes when left out'),
  users: key(mapped('users').optional(), 'one row per user; ids without attributes when left out'),
  unknown_items: key(
    z.enum(['error', 'accept']).default('error'),
    'a candidate that is not in `items`: stop, or accept it with unknown attributes',
  ),
});

const simulate = z.strictObject({
  kind: z
    .literal('simulate')
    .describe('a seeded full funnel with target-dependent interests and known truth'),
  time_zone: key(utcOffset.default('+00:00'), 'offset from UTC that days and hours are counted in'),
  users: key(count.default(1500), 'users'),
  items: key(count.default(2000), 'items of the catalogue'),
  days: key(z.int().min(3).default(10), 'days of traffic; the first request is on 2024-01-01'),
  requests_per_user_day: key(z.number().positive().default(1), 'mean requests of a user on a day'),
  groups: key(count.default(80), 'hidden interest groups; no stage may read them'),
  categories: key(count.default(10), 'visible categories; a category spans several groups'),
  retrieved: key(z.int().min(4).default(48), 'candidates of a request after retrieval'),
  preranked: key(z.int().min(3).default(24), 'of these, passed on by the pre-ranker'),
  ranked: key(z.int().min(2).default(12), 'of these, passed on by the ranker'),
  exposed: key(z.int().min(1).default(8), 'of these, shown'),
  target_dependence: key(
    weight.default(1),
    "how strongly recent behaviours of the candidate's own group move its click log-odds; 0 = the control world",
  ),
  candidate_log_share: key(
    z.number().gt(0).max(1).default(1),
    'share of candidates cut by the pre-ranker that the log keeps; the rest is undone by incl_prob',
  ),
});

const logs = z.discriminatedUnion('kind', [kuairand, taobao, tables, simulate]);

// ------------------------------------------------------------------------------------------------------------- samples

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

const samples = z.strictObject({
  label: key(
    z.enum(['click', 'long_view', 'like', 'follow', 'share', 'comment', 'buy']).default('click'),
    'feedback column that is the label',
  ),
  split: key(split.prefault({}), 'by time: train days < validation days < test days'),
  sequence: key(
    z
      .strictObject({
        events: key(z.array(z.enum(events)).min(1).default(['click']), 'behaviours that enter the sequence'),
        max_length: key(z.int().min(1).max(10_000).default(50), 'latest behaviours kept per request'),
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

// ------------------------------------------------------------------------------------------------------------ features

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

const features = z.strictObject({
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

// ------------------------------------------------------------------------------------------------------------ training

const optimizer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: usualKind('adam').describe('Adam'),
    learning_rate: key(z.number().positive().default(1e-3), 'step size'),
    beta1: key(z.number().min(0).lt(1).default(0.9), 'decay of the first moment'),
    beta2: key(z.number().min(0).lt(1).default(0.999), 'decay of the second moment'),
    epsilon: key(z.number().positive().default(1e-8), 'added to the root of the second moment'),
  }),
  z.strictObject({
    kind: z.literal('adamw').describe('Adam with decoupled weight decay'),
    learning_rate: key(z.number().positive().default(1e-3), 'step size'),
    beta1: key(z.number().min(0).lt(1).default(0.9), 'decay of the first moment'),
    beta2: key(z.number().min(0).lt(1).default(0.999), 'decay of the second moment'),
    epsilon: key(z.number().positive().default(1e-8), 'added to the root of the second moment'),
    weight_decay: key(
      weight.default(1e-2),
      'decoupled decay; embeddings decay from the first step that touches them',
    ),
  }),
  z.strictObject({
    kind: z.literal('adagrad').describe('steps shrink with the sum of squared gradients'),
    learning_rate: key(z.number().positive().default(1e-2), 'step size'),
    initial_accumulator: key(weight.default(0.1), 'first value of the sum of squares'),
    epsilon: key(z.number().positive().default(1e-10), 'added to the root of the sum of squares'),
  }),
  z.strictObject({
    kind: z.literal('sgd').describe('plain gradient steps, with momentum if wished'),
    learning_rate: key(z.number().positive().default(1e-2), 'step size'),
    momentum: key(z.number().min(0).lt(1).default(0), 'share of the last update that is kept'),
  }),
]);

const schedule = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: usualKind('constant').describe('always the same, after the warm-up'),
    warm_up_steps: key(z.int().min(0).default(0), 'steps of linear rise'),
  }),
  z.strictObject({
    kind: z.literal('linear').describe('falls in a line over the budget'),
    warm_up_steps: key(z.int().min(0).default(0), 'steps of linear rise'),
    final_share: key(share.default(0), 'share of the learning rate left at the end of the budget'),
  }),
  z.strictObject({
    kind: z.literal('cosine').describe('falls along half a cosine over the budget'),
    warm_up_steps: key(z.int().min(0).default(0), 'steps of linear rise'),
    final_share: key(share.default(0), 'share of the learning rate left at the end of the budget'),
  }),
]);

const training = z.strictObject({
  rows_per_step: key(count.default(1024), 'candidates of set A in a step; requests = rows / longest request'),
  b_rows_per_step: key(count.default(1024), 'candidates of sets B and C in a step, where they are used'),
  optimizer: key(optimizer.prefault({}), 'moves dense weights and the touched embedding rows alike'),
  schedule: key(schedule.prefault({}), 'learning rate over the steps of the budget'),
  untouched_rows: key(
    z.enum(['drift', 'rest']).default('drift'),
    'embedding rows without a gradient: their momentum goes on moving them, as in a dense optimiser (made up for when a row is next needed), or they rest (lazy updates), which trains rare ids too little',
  ),
  clip_norm: key(weight.default(0), 'largest norm of the whole gradient; 0 = no clipping'),
  checkpoint_every_seconds: key(z.number().positive().default(30), 'time between checkpoints'),
});

const budget = (epochs: number, patience: number) => ({
  epochs: key(z.number().positive().default(epochs), 'passes over the training requests at most'),
  patience: key(
    z.int().min(1).default(patience),
    'epochs without a better validation AUC on set A before training stops; the best epoch is kept',
  ),
});

// -------------------------------------------------------------------------------------------------------------- models

const towers = z.strictObject({
  user_hidden: key(hidden.default([128]), 'hidden widths of the user tower, ReLU inside, linear end'),
  item_hidden: key(hidden.default([128]), 'hidden widths of the item tower'),
  width: key(width.default(64), 'width of the two vectors'),
  scale_start: key(z.number().positive().default(5), 'first value of the scale that multiplies the cosine'),
});

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

const codebook = z.strictObject({
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

const attention = {
  width: key(width.default(32), 'width D of attention outputs'),
  heads: key(count.default(2), 'attention heads'),
  similarity_start: key(
    weight.default(5),
    'first value of g in logits += g cos(candidate, behaviour); without it nothing depends on the target (0 = as the paper)',
  ),
  recency: key(z.boolean().default(false), 'learned bias per age of a behaviour, started at 0'),
};

/** Terms that teacher and student may carry on top of its own. Each starts at weight 0, so that data decides. */
const cheapTerms = {
  raw_cosine: key(
    z.enum(['off', 'plain', 'recency']).default('off'),
    'a term of the cosine between candidate and pooled raw embeddings of the behaviours: their mean, or weighted by a learned recency',
  ),
  match_counts: key(
    z.boolean().default(false),
    "a term of how often the candidate's values occur in the sequence, per shared feature",
  ),
};

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
  self_attention: key(z.boolean().default(true), 'behaviours attend to each other first'),
  residual: key(
    z.boolean().default(true),
    'H = X Wr + MHA(X): without it all rows of H become the same mean and the teacher is dead',
  ),
  soft_count: key(
    z.boolean().default(true),
    'a term log(1 + sum of similarities) beside the attended vector, its weight started at 0',
  ),
  ...cheapTerms,
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
  ...cheapTerms,
  ...rankerTraining,
});

const teacher = z.discriminatedUnion('kind', [attentionTeacher, din]);

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
  ...cheapTerms,
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
  ...cheapTerms,
};

const tangent = z.strictObject({
  kind: usualKind('tangent').describe(
    'one code of many per item, and a tangent (tangent-codes.md): cheaper than TARQ and measured better',
  ),
  codes: key(z.int().min(2).max(4096).default(256), 'codes; more where items are rich'),
  ...codeAttention,
});

const prefix = z.strictObject({
  kind: z
    .literal('prefix')
    .describe(
      'sums of residual codes as one query, by recombining scores: finer than tangent, dearer per candidate',
    ),
  levels: key(z.int().min(2).max(8).default(3), 'residual levels'),
  codes: key(z.int().min(2).max(4096).default(64), 'codes per level'),
  ...codeAttention,
});

const distill = z.strictObject({
  student: key(
    z.discriminatedUnion('kind', [tangent, prefix, tarq]).prefault({}),
    'the pre-ranker that is distilled',
  ),
  rivals: key(
    z
      .array(z.enum(['two_tower_cosine', 'two_tower_cosine_recency', 'match_count']))
      .default(['two_tower_cosine', 'two_tower_cosine_recency', 'match_count']),
    'cheap rivals trained beside the two-tower; a gap is stated against the best of them',
  ),
  teacher: key(
    z.enum(['frozen', 'joint']).default('frozen'),
    'teacher inside the step: fixed, or trained on with its own click loss',
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
        tutor: key(weight.default(0), "RankFlow's tutor loss on set C"),
        tutor_alpha: key(share.default(0.5), 'share of its rank part; the rest is the squared difference'),
        tutor_top: key(count.default(10), 'candidates the ranker passes on: top of the rank part'),
        tutor_on: key(z.enum(['logits', 'probabilities']).default('logits'), 'what the tutor loss compares'),
        alignment: key(weight.default(0.01), 'codebook alignment'),
        alignment_attached: key(
          z.boolean().default(false),
          "gradient to raw codes and encoder as in the authors' code; measured: it collapses the codebooks",
        ),
        alignment_sharpness: key(
          weight.default(8),
          'distances are scaled to this mean before the softmax, so that the loss lives at any scale of embeddings; 0 = as the paper',
        ),
        alignment_requests: key(count.default(128), 'requests of a step that the alignment is computed on'),
        reconstruction: key(weight.default(1), "half squared distance of student's and teacher's vector"),
        autoencoder: key(weight.default(1), 'RQ-VAE loss that goes on during distillation'),
      })
      .prefault({}),
    'weights of the loss terms; every term is logged by name',
  ),
});

const evaluation = z.strictObject({
  cutoffs: key(z.array(count).min(1).default([1, 5, 10]), 'k of ndcg@k and recall@k'),
  teacher_top: key(count.default(5), "the ranker's picks that recall against the teacher looks for"),
  bootstrap: key(z.int().min(0).default(500), 'resamples of users for the intervals; 0 = none'),
  slices: key(
    z.array(z.string().regex(/^requests\.[a-z_][a-z0-9_]*$/, 'a column like requests.scene')).default([]),
    'columns whose values get rows of their own',
  ),
});

// ------------------------------------------------------------------------------------------------------------ pipeline

export const configSchema = z.strictObject({
  seed: key(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .default(1),
    'one run = one seed; scripts/seeds runs several',
  ),
  run: key(z.string().optional(), 'run folder; default runs/<name of this file>'),
  device: key(
    z.enum(['auto', 'cpu', 'webgpu', 'cuda', 'tensorflow']).default('auto'),
    'where training steps run; auto: cuda or webgpu where one works, else cpu (see `cascade doctor`)',
  ),
  threads: key(z.int().min(0).default(0), 'processor threads; 0 = all'),
  memory_limit: key(bytes.default('2GB'), 'memory of the SQL engine; it spills to disk beyond'),
  logs: key(logs, 'where the logs come from', { kind: 'simulate' }),
  samples: key(samples.prefault({}), 'sets A and B, sequences, split'),
  features: key(features, 'what the models see', {
    user: [{ name: 'user_id', kind: 'id', column: 'requests.user_id' }],
    item: [{ name: 'item_id', kind: 'id', column: 'items.item_id' }],
    sequence: ['item_id'],
  }),
  training: key(training.prefault({}), 'shared by all training stages'),
  towers: key(towers.prefault({}), 'the two towers of every pre-ranker'),
  codebook: key(
    codebook.prefault({}),
    'item codes of the student `tarq`; `prefix` and `tangent` take only the start from here and the gate',
  ),
  teacher: key(teacher.prefault({}), 'the ranker that teaches'),
  distill: key(distill.prefault({}), 'student and rivals'),
  eval: key(evaluation.prefault({}), 'metrics and verdict'),
});

/** The settings as YAML spells them, all defaults filled in. */
export type YamlConfig = z.output<typeof configSchema>;
