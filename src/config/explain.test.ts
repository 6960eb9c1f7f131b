import { expect, test } from 'vitest';
import { complaint, withLines } from '../../test/support/pipeline.js';

/** The small pipeline with some lines added. */

test('an unknown key is answered with the nearest valid one', () => {
  expect(complaint(withLines('sead: 3\ndistill:\n    losses: {tuttor: 1}\ncodebook: {kmeansIterations: 3}')))
    .toMatchInlineSnapshot(`
    "error  config.unknown_key  pipeline.yaml:6:1  sead
           There is no setting \`sead\` at the top level.
           Did you mean \`seed\`?
    error  config.unknown_key  pipeline.yaml:8:14  distill.losses.tuttor
           There is no setting \`tuttor\` in \`distill.losses\`.
           Did you mean \`tutor\`?
    error  config.unknown_key  pipeline.yaml:9:12  codebook.kmeansIterations
           There is no setting \`kmeansIterations\` in \`codebook\`.
           Did you mean \`kmeans_iterations\`?"
  `);
});

test('a key that belongs elsewhere is sent there', () => {
  expect(complaint(withLines('epochs: 3\ntraining: {learning_rate: 0.1, kind: sgd}'))).toMatchInlineSnapshot(`
    "error  config.unknown_key  pipeline.yaml:6:1  epochs
           There is no setting \`epochs\` at the top level.
           It is a setting of \`teacher\`, \`distill\`.
    error  config.unknown_key  pipeline.yaml:7:12  training.learning_rate
           There is no setting \`learning_rate\` in \`training\`.
           It is a setting of \`training.optimizer\`, \`codebook\`.
    error  config.unknown_key  pipeline.yaml:7:32  training.kind
           There is no setting \`kind\` in \`training\`.
           The settings there are: rows_per_step, b_rows_per_step, optimizer, schedule, embeddings, untouched_rows, steps_per_run, clip_norm, workers, checkpoint_every_seconds."
  `);
});

test('an unknown key that is near none is answered with those that there are', () => {
  expect(complaint(withLines('towers: {frobnicate: 1}'))).toMatchInlineSnapshot(`
    "error  config.unknown_key  pipeline.yaml:6:10  towers.frobnicate
           There is no setting \`frobnicate\` in \`towers\`.
           The settings there are: user_hidden, item_hidden, width, scale_start."
  `);
});

test('a key of another kind is said to be one', () => {
  expect(complaint(withLines('training: {optimizer: {momentum: 0.9}}'))).toMatchInlineSnapshot(`
    "error  config.unknown_key  pipeline.yaml:6:24  training.optimizer.momentum
           There is no setting \`momentum\` in \`training.optimizer\` of kind \`adam\`.
           It belongs to kind \`sgd\`."
  `);
});

test('an unknown kind is answered with all kinds and the nearest', () => {
  expect(complaint(withLines('samples: {split: {kind: date}}\ntraining: {schedule: {kind: 3}}')))
    .toMatchInlineSnapshot(`
    "error  config.unknown_kind  pipeline.yaml:6:19  samples.split.kind
           \`samples.split\` has no kind date; the kinds are \`days\` (the last days of the log, however long it is), \`dates\` (fixed days).
           Did you mean \`dates\`?
    error  config.unknown_kind  pipeline.yaml:7:23  training.schedule.kind
           \`training.schedule\` has no kind 3; the kinds are \`constant\` (always the same, after the warm-up), \`linear\` (falls in a line over the budget), \`cosine\` (falls along half a cosine over the budget).
           Write one of these."
  `);
});

test('with a right kind, faults are those of that kind only', () => {
  expect(complaint(withLines('samples: {split: {kind: dates, validation_from: 2024-01-02}}')))
    .toMatchInlineSnapshot(`
      "error  config.missing_key  pipeline.yaml:6:11  samples.split.test_from
             \`samples.split.test_from\` is missing: first day of test; validation ends the day before.
             Write it in \`samples.split\`, for example:
               test_from: 2022-05-07"
    `);
});

test('what is missing is described, with where it belongs and an example', () => {
  expect(complaint('seed: 1\n')).toMatchInlineSnapshot(`
    "error  config.missing_key  pipeline.yaml:1:1  logs
           \`logs\` is missing: where the logs come from.
           Write it at the top level, for example:
             logs:
               kind: simulate
    error  config.missing_key  pipeline.yaml:1:1  features
           \`features\` is missing: what the models see.
           Write it at the top level, for example:
             features:
               user:
                 - name: user_id
                   kind: id
                   column: requests.user_id
               item:
                 - name: item_id
                   kind: id
                   column: items.item_id
               sequence:
                 - item_id"
  `);
  expect(complaint('logs: {kind: tables, source: .}\nfeatures: {user: [{kind: id}], item: [{name: a}]}\n'))
    .toMatchInlineSnapshot(`
      "error  config.missing_key  pipeline.yaml:1:1  logs.requests
             \`logs.requests\` is missing: one row per request.
             Write it in \`logs\`, for example:
               requests:
                 path: requests/*.parquet
      error  config.missing_key  pipeline.yaml:1:1  logs.candidates
             \`logs.candidates\` is missing: one row per request and item.
             Write it in \`logs\`, for example:
               candidates:
                 path: candidates/*.parquet
      error  config.missing_key  pipeline.yaml:1:1  logs.feedback
             \`logs.feedback\` is missing: one row per exposed request and item.
             Write it in \`logs\`, for example:
               feedback:
                 path: feedback/*.parquet
      error  config.contradiction  pipeline.yaml:2:1  features.sequence
             \`features.sequence\` is empty, so that models see no behaviours; \`teacher\`, \`distill.student\`, \`distill.rivals\` cannot work without them.
             Name the item features that describe a behaviour, for example \`sequence: [item_id]\`.
      error  config.missing_key  pipeline.yaml:2:19  features.user[0].name
             \`features.user[0].name\` is missing: name of the feature.
             Write it in \`features.user[0]\`, for example:
               name: item_id
      error  config.missing_key  pipeline.yaml:2:19  features.user[0].column
             \`features.user[0].column\` is missing: column it is read from.
             Write it in \`features.user[0]\`, for example:
               column: items.item_id
      error  config.missing_key  pipeline.yaml:2:39  features.item[0].kind
             \`features.item[0].kind\` is missing: \`features.item[0]\` must say its kind.
             The kinds are \`id\` (one row per value seen in training), \`hashed\` (md5 of the value into a fixed number of rows; nothing to fit), \`bucketised\` (a number cut at boundaries), \`numeric\` (a number, standardised on training exposures, entering the towers as it is), \`multi_valued\` (a list of values; their rows are averaged), \`cross\` (a combination of columns as one value)."
    `);
});

test('a value of the wrong type is told with what it must be', () => {
  const lines = `seed: "7"
threads: [1]
run: 3
device: {cpu: true}
eval: 3
towers: {user_hidden: 64}
teacher: {residual: yes, recency: maybe, epochs: 1_000}
training:
codebook: {codes: .nan, levels: 2.5}`;
  expect(complaint(withLines(lines))).toMatchInlineSnapshot(`
    "error  config.wrong_type  pipeline.yaml:6:1  seed
           \`seed\` must be a whole number from 0 to 2147483647; it is the text "7".
           Write 7, without quotes or underscores.
    error  config.wrong_type  pipeline.yaml:7:1  threads
           \`threads\` must be a whole number of at least 0; it is a list with 1 element.
           It means: processor threads; 0 = all (default 0).
    error  config.wrong_type  pipeline.yaml:8:1  run
           \`run\` must be text; it is 3.
           It means: run folder; default runs/<name of this file>.
    error  config.bad_choice  pipeline.yaml:9:1  device
           \`device\` must be one of auto, cpu, webgpu, cuda, tensorflow; it is a section of \`key: value\` lines.
           It means: where training steps run; auto: cuda or webgpu where one works, else cpu (see \`cascade doctor\`) (default auto).
    error  config.wrong_type  pipeline.yaml:10:1  eval
           \`eval\` must be a section of \`key: value\` lines; it is 3.
           It means: metrics and verdict.
    error  config.wrong_type  pipeline.yaml:11:10  towers.user_hidden
           \`towers.user_hidden\` must be a list; it is 64.
           Write a list: [64].
    error  config.wrong_type  pipeline.yaml:12:11  teacher.residual
           \`teacher.residual\` must be true or false; it is the text "yes".
           Write true: YAML 1.2 reads yes as text.
    error  config.wrong_type  pipeline.yaml:12:26  teacher.recency
           \`teacher.recency\` must be true or false; it is the text "maybe".
           It means: learned bias per age of a behaviour, started at 0 (default true).
    error  config.wrong_type  pipeline.yaml:12:42  teacher.epochs
           \`teacher.epochs\` must be a number above 0; it is the text "1_000".
           Write 1000, without quotes or underscores.
    error  config.wrong_type  pipeline.yaml:13:1  training
           \`training\` has no value; it must be a section of \`key: value\` lines.
           It means: shared by all training stages. Without the line the default holds.
    error  config.wrong_type  pipeline.yaml:14:12  codebook.codes
           \`codebook.codes\` must be a whole number from 2 to 4096; it is NaN.
           It means: codes per level (default 64).
    error  config.wrong_type  pipeline.yaml:14:25  codebook.levels
           \`codebook.levels\` must be a whole number from 1 to 8; it is 2.5.
           It means: residual levels, or parts (default 3)."
  `);
});

test('a value out of range is told with the range', () => {
  const lines = `seed: -1
towers: {width: 0}
codebook: {levels: 9, codes: 1}
eval: {cutoffs: []}
distill: {losses: {tutor_alpha: 1.5, alignment: -1}}
training: {optimizer: {learning_rate: 0, beta1: 1}}
samples: {sequence: {events: []}}`;
  expect(complaint(withLines(lines))).toMatchInlineSnapshot(`
    "error  config.out_of_range  pipeline.yaml:6:1  seed
           \`seed\` must be a whole number from 0 to 2147483647; it is -1.
           It means: one run = one seed; scripts/seeds runs several (default 1).
    error  config.out_of_range  pipeline.yaml:7:10  towers.width
           \`towers.width\` must be a whole number from 1 to 4096; it is 0.
           It means: width of the two vectors (default 64).
    error  config.out_of_range  pipeline.yaml:8:12  codebook.levels
           \`codebook.levels\` must be a whole number from 1 to 8; it is 9.
           It means: residual levels, or parts (default 3).
    error  config.out_of_range  pipeline.yaml:8:23  codebook.codes
           \`codebook.codes\` must be a whole number from 2 to 4096; it is 1.
           It means: codes per level (default 64).
    error  config.out_of_range  pipeline.yaml:9:8  eval.cutoffs
           \`eval.cutoffs\` must be a list with at least 1 element; it is a list with 0 elements.
           It means: k of ndcg@k and recall@k (default [1, 5, 10]).
    error  config.out_of_range  pipeline.yaml:10:20  distill.losses.tutor_alpha
           \`distill.losses.tutor_alpha\` must be a number from 0 to 1; it is 1.5.
           It means: share of its rank part; the rest is the squared difference (default 0.5).
    error  config.out_of_range  pipeline.yaml:10:38  distill.losses.alignment
           \`distill.losses.alignment\` must be a number of at least 0; it is -1.
           It means: codebook alignment; where it is not given .01 for tarq, which it was made for, and 0 for other students.
    error  config.out_of_range  pipeline.yaml:11:24  training.optimizer.learning_rate
           \`training.optimizer.learning_rate\` must be a number above 0; it is 0.
           It means: step size (default 0.001).
    error  config.out_of_range  pipeline.yaml:11:42  training.optimizer.beta1
           \`training.optimizer.beta1\` must be a number of at least 0 and below 1; it is 1.
           It means: decay of the first moment (default 0.9).
    error  config.out_of_range  pipeline.yaml:12:22  samples.sequence.events
           \`samples.sequence.events\` must be a list with at least 1 element; it is a list with 0 elements.
           It means: behaviours that enter the sequence (default [click])."
  `);
});

test('a word that is no choice is answered with the choices and the nearest', () => {
  const lines = `samples: {label: clicks, b: {negatives: [{kind: popularity, per_request: 3, power: 0.6}]}}
distill: {rivals: [match_counts, magic]}`;
  expect(complaint(withLines(lines))).toMatchInlineSnapshot(`
    "error  config.bad_choice  pipeline.yaml:6:11  samples.label
           \`samples.label\` must be one of click, long_view, like, follow, share, comment, buy; it is the text "clicks".
           Did you mean \`click\`?
    error  config.bad_choice  pipeline.yaml:6:77  samples.b.negatives[0].power
           \`samples.b.negatives[0].power\` must be one of 0.25, 0.5, 0.75, 1; it is 0.6.
           It means: exponent of the count; these four are exact on every SQL engine (default 0.75).
    error  config.bad_choice  pipeline.yaml:7:20  distill.rivals[0]
           \`distill.rivals[0]\` must be one of two_tower_cosine, two_tower_cosine_recency, match_count; it is the text "match_counts".
           Did you mean \`match_count\`?
    error  config.bad_choice  pipeline.yaml:7:34  distill.rivals[1]
           \`distill.rivals[1]\` must be one of two_tower_cosine, two_tower_cosine_recency, match_count; it is the text "magic".
           It means: cheap rivals trained beside the two-tower; a gap is stated against the best of them (default [two_tower_cosine, two_tower_cosine_recency, match_count])."
  `);
});

test('a text of the wrong form is told with the form', () => {
  const lines = `memory_limit: 2 gigabytes
samples: {split: {kind: dates, validation_from: 2022-02-30, test_from: tomorrow}}
eval: {slices: [items.author]}`;
  const text = withLines(lines)
    .replace('items.item_id', 'itemz.item_id')
    .replace('kind: simulate', 'kind: simulate, time_zone: "8"');
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.bad_format  pipeline.yaml:1:24  logs.time_zone
           \`logs.time_zone\` must be an offset from UTC like +08:00; it is the text "8".
           It means: offset from UTC that days and hours are counted in (default +00:00).
    error  config.bad_format  pipeline.yaml:4:36  features.item[0].column
           \`features.item[0].column\` must be a column like items.author_id, users.age or requests.ctx_hour; it is the text "itemz.item_id".
           It means: column it is read from.
    error  config.bad_format  pipeline.yaml:6:1  memory_limit
           \`memory_limit\` must be a size like 512MB or 2GB; it is the text "2 gigabytes".
           It means: memory of the SQL engine; it spills to disk beyond. Left out: 64MB, and as much again for each thread; 2GB is faster by a tenth.
    error  config.bad_format  pipeline.yaml:7:32  samples.split.validation_from
           \`samples.split.validation_from\` must be a day like 2022-05-06; it is the text "2022-02-30".
           It means: first day of validation; train is everything before.
    error  config.bad_format  pipeline.yaml:7:61  samples.split.test_from
           \`samples.split.test_from\` must be a day like 2022-05-06; it is the text "tomorrow".
           It means: first day of test; validation ends the day before.
    error  config.bad_format  pipeline.yaml:8:17  eval.slices[0]
           \`eval.slices[0]\` must be a column like requests.scene; it is the text "items.author".
           It means: columns whose values get rows of their own (default [])."
  `);
});

test('faults are told from the top of the file to its end, overrides last', () => {
  const places = complaint(withLines('threads: -1\nseed: -1'), 'towers.width=0', 'device=gpu').match(
    /(?<= {2})(pipe|--set)\S*/g,
  );
  expect(places).toEqual(['pipeline.yaml:6:1', 'pipeline.yaml:7:1', '--set', '--set']);
});
