import { expect, test } from 'vitest';
import { complaint, smallPipeline } from '../../test/support/pipeline.js';

const withLines = (lines: string) => `${smallPipeline}${lines}\n`;
const simulated = (settings: string) =>
  smallPipeline.replace('kind: simulate', `kind: simulate, ${settings}`);

/** The features of a pipeline, the rest of which is sound. */
const features = (lines: string) => `logs: {kind: simulate}\nfeatures:\n${lines}\n`;
const user = '  user: [{name: user_id, kind: id, column: requests.user_id}]';
const item = '  item: [{name: item_id, kind: id, column: items.item_id}]';

test('a stage of the simulated funnel cannot pass on more than it was given', () => {
  expect(complaint(simulated('retrieved: 20, preranked: 24, ranked: 12, exposed: 13')))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:1:39  logs.preranked
           \`logs.preranked\` is 24, more than \`logs.retrieved\`, which is 20; a stage passes on at most what it was given.
           Set at: logs.preranked (pipeline.yaml:1:39), logs.retrieved (pipeline.yaml:1:24).
           Lower \`logs.preranked\` to 20 or less, or raise \`logs.retrieved\`.
    error  config.contradiction  pipeline.yaml:1:66  logs.exposed
           \`logs.exposed\` is 13, more than \`logs.ranked\`, which is 12; a stage passes on at most what it was given.
           Set at: logs.exposed (pipeline.yaml:1:66), logs.ranked (pipeline.yaml:1:54).
           Lower \`logs.exposed\` to 12 or less, or raise \`logs.ranked\`."
  `);
});

test('as many as were given may be passed on', () => {
  expect(complaint(simulated('retrieved: 24, preranked: 24, ranked: 24, exposed: 24'))).toBe('no problem');
});

test('simulated categories span groups, and groups hold items', () => {
  expect(
    complaint(simulated('categories: 60, items: 40, groups: 50'), 'codebook.codes=8', 'logs.retrieved=30'),
  ).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:1:24  logs.categories
           \`logs.categories\` is 60, more than \`logs.groups\`, which is 50; a category spans one or more groups, a group holds one or more items.
           Set at: logs.categories (pipeline.yaml:1:24), logs.groups (pipeline.yaml:1:51).
           Lower \`logs.categories\` to 50 or less, or raise \`logs.groups\`.
    error  config.contradiction  pipeline.yaml:1:51  logs.groups
           \`logs.groups\` is 50, more than \`logs.items\`, which is 40; a category spans one or more groups, a group holds one or more items.
           Set at: logs.groups (pipeline.yaml:1:51), logs.items (pipeline.yaml:1:40).
           Lower \`logs.groups\` to 40 or less, or raise \`logs.items\`."
  `);
});

test('a simulated request cannot retrieve more than the catalogue holds', () => {
  expect(complaint(simulated('items: 60, groups: 8, categories: 4, retrieved: 61'), 'codebook.codes=8'))
    .toMatchInlineSnapshot(`
      "error  config.contradiction  pipeline.yaml:1:61  logs.retrieved
             \`logs.retrieved\` is 61, more than \`logs.items\`, which is 60; no item is retrieved twice in a request.
             Set at: logs.retrieved (pipeline.yaml:1:61), logs.items (pipeline.yaml:1:24).
             Lower \`logs.retrieved\` to 60 or less, or raise \`logs.items\`."
    `);
});

test('more codes than simulated items are refused', () => {
  expect(complaint(simulated('items: 100, groups: 8, categories: 4'), 'codebook.codes=101'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.codes=101  codebook.codes
           \`codebook.codes\` is 101, but the simulated catalogue has only 100 items; most codes would stay unused.
           Set at: codebook.codes (--set codebook.codes=101), logs.items (pipeline.yaml:1:24).
           Lower \`codebook.codes\` well below 100, or raise \`logs.items\`."
  `);
  expect(complaint(simulated('items: 100, groups: 8, categories: 4'), 'codebook.codes=100')).toBe(
    'no problem',
  );
});

test('validation comes before test', () => {
  const split = (validation: string, test: string) =>
    complaint(
      withLines(
        `samples: {split: {kind: dates, validation_from: ${validation}, test_from: ${test}}}`,
      ).replace('{kind: simulate}', '{kind: kuairand, source: .}'),
    );
  expect(split('2022-05-07', '2022-05-07')).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:32  samples.split.validation_from
           Validation begins on 2022-05-07, not before the test days, which begin on 2022-05-07.
           Set at: samples.split.validation_from (pipeline.yaml:6:32), samples.split.test_from (pipeline.yaml:6:61).
           \`samples.split.validation_from\` must be an earlier day than \`samples.split.test_from\`."
  `);
  expect(split('2022-05-06', '2022-05-07')).toBe('no problem');
});

test('the simulated days must leave some for training', () => {
  expect(complaint(simulated('days: 5'), 'samples.split={validation: 2, test: 3}')).toMatchInlineSnapshot(`
    "error  config.contradiction  --set samples.split={validation: 2, test: 3}  samples.split.test
           The simulation has 5 days; 2 of validation and 3 of test leave none for training.
           Set at: samples.split.test (--set samples.split={validation: 2, test: 3}), samples.split.validation (--set samples.split={validation: 2, test: 3}), logs.days (pipeline.yaml:1:24).
           Raise \`logs.days\` above 5, or hold out fewer days."
  `);
  expect(complaint(simulated('days: 5'), 'samples.split={validation: 2, test: 2}')).toBe('no problem');
});

test('dates outside of the simulated days are refused', () => {
  const dates = (validation: string, test: string) =>
    complaint(
      simulated('days: 5'),
      `samples.split={kind: dates, validation_from: ${validation}, test_from: ${test}}`,
    );
  expect(dates('2024-01-01', '2024-01-06')).toMatchInlineSnapshot(`
    "error  config.contradiction  --set samples.split={kind: dates, validation_from: 2024-01-01, test_from: 2024-01-06}  samples.split.validation_from
           \`samples.split.validation_from\` is 2024-01-01, but the simulation runs from 2024-01-01 to 2024-01-05 and its first day is for training.
           Set at: samples.split.validation_from (--set samples.split={kind: dates, validation_from: 2024-01-01, test_from: 2024-01-06}), logs.days (pipeline.yaml:1:24).
           Give a day after 2024-01-01 and not after 2024-01-05, or use \`split: {kind: days}\`.
    error  config.contradiction  --set samples.split={kind: dates, validation_from: 2024-01-01, test_from: 2024-01-06}  samples.split.test_from
           \`samples.split.test_from\` is 2024-01-06, but the simulation runs from 2024-01-01 to 2024-01-05 and its first day is for training.
           Set at: samples.split.test_from (--set samples.split={kind: dates, validation_from: 2024-01-01, test_from: 2024-01-06}), logs.days (pipeline.yaml:1:24).
           Give a day after 2024-01-01 and not after 2024-01-05, or use \`split: {kind: days}\`."
  `);
  expect(dates('2024-01-02', '2024-01-05')).toBe('no problem');
});

test('each feature has a name of its own, across all sides', () => {
  const text = features(`${user}\n  item:
    - {name: user_id, kind: id, column: items.author_id}
    - {name: item_id, kind: id, column: items.item_id}
  sequence: [item_id]`);
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:5:8  features.item[0].name
           Two features are called \`user_id\`: \`features.user[0]\` and \`features.item[0]\`.
           Set at: features.item[0].name (pipeline.yaml:5:8), features.user[0].name (pipeline.yaml:3:11).
           Give each feature a name of its own."
  `);
});

test('each side reads its own tables', () => {
  const text = features(`  user:
    - {name: a, kind: id, column: requests.user_id}
    - {name: b, kind: id, column: users.age}
    - {name: c, kind: id, column: items.price}
    - {name: d, kind: id, column: requests.scene}
${item}
  context:
    - {name: e, kind: id, column: requests.ctx_hour}
    - {name: f, kind: id, column: users.age}
  sequence: [item_id]`);
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:27  features.user[2].column
           \`items.price\` cannot feed a feature of \`features.user\`, which reads \`users.*\`, or \`requests.user_*\` as frozen at the request.
           Move the feature to \`features.item\`, or read another column.
    error  config.contradiction  pipeline.yaml:7:27  features.user[3].column
           \`requests.scene\` cannot feed a feature of \`features.user\`, which reads \`users.*\`, or \`requests.user_*\` as frozen at the request.
           Move the feature to \`features.context\`, or read another column.
    error  config.contradiction  pipeline.yaml:11:27  features.context[1].column
           \`users.age\` cannot feed a feature of \`features.context\`, which reads \`requests.*\`.
           Move the feature to \`features.user\`, or read another column."
  `);
});

test('a cross stays in one table', () => {
  const text = features(
    `  user: [{name: a, kind: cross, columns: [users.age, requests.user_id]}]\n${item}\n  sequence: [item_id]`,
  );
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:3:33  features.user[0].columns
           The cross \`features.user[0]\` combines columns of different tables: users.age, requests.user_id.
           Use columns of one table only (users or requests)."
  `);
});

test('boundaries ascend strictly', () => {
  const boundaries = (list: string) =>
    complaint(
      features(
        `  user: [{name: a, kind: bucketised, column: users.age, boundaries: ${list}}]\n${item}\n  sequence: [item_id]`,
      ),
    );
  expect(boundaries('[10, 30, 20, 20]')).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:3:57  features.user[0].boundaries
           The boundaries of \`features.user[0]\` do not ascend: 20 comes after 30.
           Write them in order, each once: [10, 20, 30]."
  `);
  expect(boundaries('[10, 10]')).toContain('config.contradiction');
  expect(boundaries('[10, 20]')).toBe('no problem');
});

test('the sequence names item features that have embeddings, each once', () => {
  const text = features(`${user}
  item:
    - {name: item_id, kind: id, column: items.item_id}
    - {name: price, kind: numeric, column: items.price}
  sequence: [item_id, itme_id, user_id, price, item_id]`);
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:7:23  features.sequence[1]
           \`features.sequence\` names \`itme_id\`, which is no item feature.
           Set at: features.sequence[1] (pipeline.yaml:7:23), features.item (pipeline.yaml:4:3).
           Did you mean \`item_id\`?
    error  config.contradiction  pipeline.yaml:7:32  features.sequence[2]
           \`features.sequence\` names \`user_id\`, which is no item feature.
           Set at: features.sequence[2] (pipeline.yaml:7:32), features.item (pipeline.yaml:4:3).
           Name item features; those with embeddings are: item_id.
    error  config.contradiction  pipeline.yaml:7:41  features.sequence[3]
           \`features.sequence\` names \`price\`, which is numeric and has no embedding to describe a behaviour with.
           Set at: features.sequence[3] (pipeline.yaml:7:41), features.item[1].kind (pipeline.yaml:6:21).
           Name others (item_id), or make it \`kind: bucketised\`.
    error  config.contradiction  pipeline.yaml:7:48  features.sequence[4]
           \`features.sequence\` names item_id twice.
           Set at: features.sequence[4] (pipeline.yaml:7:48), features.sequence[0] (pipeline.yaml:7:14).
           Name it once."
  `);
});

test('without a sequence, everything that looks at behaviours is named', () => {
  expect(complaint(features(`${user}\n${item}`))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:2:1  features.sequence
           \`features.sequence\` is empty, so that models see no behaviours; \`teacher\`, \`distill.student\`, \`distill.rivals\` cannot work without them.
           Name the item features that describe a behaviour, for example \`sequence: [item_id]\`."
  `);
  const complaintOf = (...sets: string[]) => complaint(features(`${user}\n${item}`), ...sets);
  expect(complaintOf('distill.rivals=[]')).not.toContain('rivals');
  expect(complaintOf('distill.student.kind=tarq')).toContain('`distill.losses.alignment`');
  expect(complaintOf('distill.student.kind=tarq', 'distill.losses.alignment=0')).not.toContain('alignment');
});

test("a student that learns the teacher's vector is as wide", () => {
  const lines = 'distill: {student: {kind: tarq, width: 16}}';
  expect(complaint(withLines(lines))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:33  distill.student.width
           \`distill.student.width\` is 16 and \`teacher.width\` 32: a student of kind tarq learns the teacher's vector (\`distill.losses.alignment\` and \`distill.losses.reconstruction\` above 0), which must be as wide as its own.
           Set at: distill.student.width (pipeline.yaml:6:33), teacher.width (default), distill.losses.alignment (default), distill.losses.reconstruction (default).
           Give both the same width, or set these losses to 0."
  `);
  expect(complaint(withLines(lines), 'teacher.width=16')).toBe('no problem');
  const without = ['distill.losses.reconstruction=0', 'distill.losses.alignment=0'];
  expect(complaint(withLines(lines), ...without)).toBe('no problem');
  const tangent = withLines('distill: {student: {kind: tangent, width: 16}}');
  expect(complaint(tangent)).toBe('no problem');
  expect(complaint(tangent, 'distill.losses.reconstruction=1')).toContain('a student of kind tangent');
});

test('heads divide the width of teacher and student', () => {
  expect(
    complaint(
      withLines('teacher: {width: 30, heads: 4}\ndistill: {student: {kind: tarq, width: 30, heads: 7}}'),
    ),
  ).toMatchInlineSnapshot(`
      "error  config.contradiction  pipeline.yaml:6:22  teacher.heads
             \`teacher.width\` is 30, which 4 heads do not divide.
             Set at: teacher.heads (pipeline.yaml:6:22), teacher.width (pipeline.yaml:6:11).
             Use 1, 2, 3, 5, 6, 10, 15 heads, or a width that is a multiple of 4.
      error  config.contradiction  pipeline.yaml:7:44  distill.student.heads
             \`distill.student.width\` is 30, which 7 heads do not divide.
             Set at: distill.student.heads (pipeline.yaml:7:44), distill.student.width (pipeline.yaml:7:33).
             Use 1, 2, 3, 5, 6, 10, 15 heads, or a width that is a multiple of 7."
    `);
});

test('a student without any loss on its scores is refused', () => {
  expect(complaint(withLines('distill: {losses: {click_a: 0}}'))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:20  distill.losses.click_a
           \`distill.losses.click_a\`, \`click_b\` and \`tutor\` are all 0: nothing teaches the student to score.
           Set at: distill.losses.click_a (pipeline.yaml:6:20), distill.losses.click_b (default), distill.losses.tutor (default).
           Give at least one of them a weight above 0; \`click_a: 1\` is the default."
  `);
  expect(complaint(withLines('distill: {losses: {click_a: 0, tutor: 0.1}}'))).toBe('no problem');
});

test("the teacher's picks are fewer than the candidates of a list", () => {
  expect(complaint(withLines('eval: {teacher_top: 8}'), 'samples.b.max_candidates=8')).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:8  eval.teacher_top
           \`eval.teacher_top\` is 8, but a list of set B holds at most 8 logged candidates (\`samples.b.max_candidates\`): every candidate would be a pick.
           Set at: eval.teacher_top (pipeline.yaml:6:8), samples.b.max_candidates (--set samples.b.max_candidates=8).
           Lower \`eval.teacher_top\` below 8, or raise \`samples.b.max_candidates\`."
  `);
  expect(complaint(withLines('eval: {teacher_top: 8}'), 'samples.b.max_candidates=9')).toBe('no problem');
});

test('lists name a thing once', () => {
  const lines = `eval: {cutoffs: [1, 5, 1], slices: [requests.scene, requests.scene]}
samples: {sequence: {events: [click, click]}}
distill: {rivals: [match_count, match_count]}`;
  expect(complaint(withLines(lines)).match(/names \S+ twice/g)).toEqual([
    'names 1 twice',
    'names requests.scene twice',
    'names click twice',
    'names match_count twice',
  ]);
});

test('contradictions are told together with other faults', () => {
  const codes = complaint(
    withLines('sead: 3\nteacher: {heads: 5, widht: 32}\neval: {teacher_top: 40}'),
  ).match(/config\.\w+/g);
  expect(codes).toEqual(['config.unknown_key', 'config.unknown_key', 'config.contradiction']);
});

test('what rests on a value that is itself at fault is not called a contradiction', () => {
  // teacher.width would be 30 and samples.b.max_candidates 50, had they been spelled rightly.
  const lines = 'teacher: {heads: 5, widht: 30}\nsamples: {b: {max_candidats: 50}}\neval: {teacher_top: 40}';
  expect(complaint(withLines(lines)).match(/config\.\w+/g)).toEqual([
    'config.unknown_key',
    'config.unknown_key',
  ]);
});

const taobao = (settings: string, samples: string) =>
  `${smallPipeline.replace('kind: simulate', `kind: taobao, source: .${settings}`)}samples: {split: ${samples}}\n`;

test('drawn negatives of a split come from its own days', () => {
  const dates = '{kind: dates, validation_from: 2017-12-01, test_from: 2017-12-03}';
  expect(complaint(taobao('', dates))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:32  logs.negatives.parts_from
           Negatives are drawn within parts that begin on 2017-12-02 and 2017-12-03, but validation begins on 2017-12-01 and test on 2017-12-03: a split would get negatives from the days of another.
           Set at: logs.negatives.parts_from (default), samples.split.validation_from (pipeline.yaml:6:32), samples.split.test_from (pipeline.yaml:6:61).
           Set \`logs.negatives.parts_from: [2017-12-01, 2017-12-03]\`, or change \`samples.split\`."
  `);
  expect(complaint(taobao(', negatives: {parts_from: []}', dates))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:1:45  logs.negatives.parts_from
           Negatives are drawn within parts that begin on no day, but validation begins on 2017-12-01 and test on 2017-12-03: a split would get negatives from the days of another.
           Set at: logs.negatives.parts_from (pipeline.yaml:1:45), samples.split.validation_from (pipeline.yaml:6:32), samples.split.test_from (pipeline.yaml:6:61).
           Set \`logs.negatives.parts_from: [2017-12-01, 2017-12-03]\`, or change \`samples.split\`."
  `);
  expect(complaint(taobao(', negatives: {parts_from: [2017-12-01, 2017-12-03]}', dates))).toBe('no problem');
  expect(complaint(taobao(', negatives: {parts_from: [2017-12-01]}', '{kind: days}'))).toBe('no problem');
});

test('a file is named once', () => {
  expect(complaint(taobao(', files: [a.csv, b.csv.gz, a.csv]', '{kind: days}'))).toContain(
    '`logs.files` names a.csv twice.',
  );
});

test('a balanced assignment has at least one item for each code', () => {
  const sinkhorn = (items: number) =>
    complaint(
      smallPipeline,
      'codebook.assignment.kind=sinkhorn',
      'codebook.codes=512',
      `codebook.items_per_step=${items}`,
    );
  expect(sinkhorn(511)).toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.assignment.kind=sinkhorn  codebook.assignment.kind
           \`codebook.assignment.kind: sinkhorn\` gives every code the same number of items, but a step has 511 items for 512 codes.
           Set at: codebook.assignment.kind (--set codebook.assignment.kind=sinkhorn), codebook.codes (--set codebook.codes=512), codebook.items_per_step (--set codebook.items_per_step=511).
           Raise \`codebook.items_per_step\` to 512 or, better, several times that, or lower \`codebook.codes\`."
  `);
  expect(sinkhorn(512)).toBe('no problem');
});

test('moving averages and a balanced assignment are not for each other', () => {
  expect(complaint(smallPipeline, 'codebook.assignment.kind=sinkhorn', 'codebook.updates.kind=ema'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.updates.kind=ema  codebook.updates.kind
           \`codebook.updates.kind: ema\` moves codes to the items that are nearest to them, \`codebook.assignment.kind: sinkhorn\` assigns other ones.
           Set at: codebook.updates.kind (--set codebook.updates.kind=ema), codebook.assignment.kind (--set codebook.assignment.kind=sinkhorn).
           Use \`updates: {kind: gradient}\` with sinkhorn, or \`assignment: {kind: nearest}\` with moving averages."
  `);
});

test('what acts in RQ-VAE steps needs some', () => {
  expect(
    complaint(
      smallPipeline,
      'codebook.assignment.kind=sinkhorn',
      'codebook.quantizer_dropout=0.5',
      'codebook.steps=0',
    ),
  ).toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.assignment.kind=sinkhorn  codebook.assignment.kind
           \`codebook.assignment.kind\` acts in RQ-VAE steps only, and \`codebook.steps\` is 0.
           Set at: codebook.assignment.kind (--set codebook.assignment.kind=sinkhorn), codebook.steps (--set codebook.steps=0).
           Raise \`codebook.steps\` (400 is the default), or leave the setting out.
    error  config.contradiction  --set codebook.quantizer_dropout=0.5  codebook.quantizer_dropout
           \`codebook.quantizer_dropout\` acts in RQ-VAE steps only, and \`codebook.steps\` is 0.
           Set at: codebook.quantizer_dropout (--set codebook.quantizer_dropout=0.5), codebook.steps (--set codebook.steps=0).
           Raise \`codebook.steps\` (400 is the default), or leave the setting out."
  `);
});

test('quantizer dropout needs levels to drop', () => {
  expect(complaint(smallPipeline, 'codebook.quantizer_dropout=0.5', 'codebook.levels=1'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.quantizer_dropout=0.5  codebook.quantizer_dropout
           \`codebook.quantizer_dropout\` is 0.5, but there is one level only: nothing can be dropped.
           Set at: codebook.quantizer_dropout (--set codebook.quantizer_dropout=0.5), codebook.levels (--set codebook.levels=1).
           Raise \`codebook.levels\`, or leave \`codebook.quantizer_dropout\` at 0."
  `);
});

test('the parts of a product have coordinates, and no prefixes', () => {
  expect(
    complaint(smallPipeline, 'codebook.structure=product', 'codebook.levels=4', 'codebook.latent_width=3'),
  ).toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.levels=4  codebook.levels
           \`codebook.structure: product\` gives each of 4 levels its own part of the latent, which has 3 coordinates only.
           Set at: codebook.levels (--set codebook.levels=4), codebook.latent_width (--set codebook.latent_width=3), codebook.structure (--set codebook.structure=product).
           Lower \`codebook.levels\` to 3 or less, or raise \`codebook.latent_width\`."
  `);
  expect(complaint(smallPipeline, 'codebook.structure=product', 'codebook.quantizer_dropout=0.5'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set codebook.quantizer_dropout=0.5  codebook.quantizer_dropout
           \`codebook.quantizer_dropout\` is 0.5: it makes the first levels stand for the whole item, but the levels of a product are parts of it.
           Set at: codebook.quantizer_dropout (--set codebook.quantizer_dropout=0.5), codebook.structure (--set codebook.structure=product).
           Use \`structure: residual\`, or leave \`codebook.quantizer_dropout\` at 0."
  `);
  expect(
    complaint(smallPipeline, 'codebook.structure=product', 'codebook.levels=4', 'codebook.latent_width=4'),
  ).toBe('no problem');
});

test('workers share the requests that alignment looks at', () => {
  const tarq = 'distill: {student: {kind: tarq}, losses: {alignment_requests: 16}}';
  expect(complaint(withLines(`training: {workers: 3}\n${tarq}`))).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:7:43  distill.losses.alignment_requests
           \`distill.losses.alignment_requests\` is 16, which 3 workers (\`training.workers\`) cannot share evenly.
           Set at: distill.losses.alignment_requests (pipeline.yaml:7:43), training.workers (pipeline.yaml:6:12).
           Use a multiple of 3, for example 18."
  `);
  expect(complaint(withLines(`training: {workers: 4}\n${tarq}`))).toBe('no problem');
  expect(complaint(withLines('training: {workers: 3}'))).toBe('no problem');
});

test('workers keep embedding tables in memory', () => {
  const inFiles = withLines('training: {workers: 2, embeddings: {kind: file}}');
  expect(complaint(inFiles)).toMatchInlineSnapshot(`
    "error  config.contradiction  pipeline.yaml:6:37  training.embeddings.kind
           \`training.embeddings.kind\` is file, and 2 workers (\`training.workers\`) cannot share a file.
           Set at: training.embeddings.kind (pipeline.yaml:6:37), training.workers (pipeline.yaml:6:12).
           Train with one worker, or keep the tables in memory."
  `);
  expect(complaint(inFiles, 'training.workers=1')).toBe('no problem');
});

test('a logged teacher has no vector that a student could be drawn to', () => {
  const tarq = ['distill.student.kind=tarq', 'distill.teacher=logged'];
  expect(complaint(smallPipeline, ...tarq, 'distill.losses.alignment=0')).toMatchInlineSnapshot(`
    "error  config.contradiction  --set distill.teacher=logged  distill.losses.reconstruction
           \`distill.losses.reconstruction\` compares the student's vector with the teacher's, and \`distill.teacher: logged\` has scores only.
           Set at: distill.losses.reconstruction (default), distill.teacher (--set distill.teacher=logged).
           Set \`distill.losses.reconstruction\` to 0: \`distill.losses.tutor\` is what teaches by scores. Or let a teacher be trained: \`distill.teacher: frozen\`."
  `);
  expect(complaint(smallPipeline, ...tarq)).toContain(
    '`distill.losses.alignment` and `distill.losses.reconstruction`',
  );
  expect(complaint(smallPipeline, ...tarq, 'teacher.width=16').match(/config\.contradiction/g)).toHaveLength(
    1,
  );
  const neither = ['distill.losses.alignment=0', 'distill.losses.reconstruction=0'];
  expect(complaint(smallPipeline, ...tarq, ...neither)).toBe('no problem');
  const tangent = 'distill.teacher=logged';
  expect(complaint(smallPipeline, tangent)).toBe('no problem');
  expect(complaint(smallPipeline, tangent, 'distill.losses.reconstruction=1')).toContain(
    'config.contradiction',
  );
});

test('a logged teacher needs logs with scores', () => {
  const kuairand = smallPipeline.replace('kind: simulate', 'kind: kuairand, source: x');
  expect(complaint(kuairand, 'distill.teacher=logged')).toMatchInlineSnapshot(`
    "error  config.contradiction  --set distill.teacher=logged  distill.teacher
           \`distill.teacher\` is logged, but logs of kind kuairand hold no scores of a ranker.
           Set at: distill.teacher (--set distill.teacher=logged), logs.kind (pipeline.yaml:1:8).
           Let a teacher be trained: \`distill.teacher: frozen\`."
  `);
  expect(complaint(smallPipeline, 'distill.teacher=logged', 'distill.logged_scores.column=teacher_logit'))
    .toMatchInlineSnapshot(`
    "error  config.contradiction  --set distill.logged_scores.column=teacher_logit  distill.logged_scores.column
           The simulation logs what its ranker gave as \`rank_score\`, and no \`teacher_logit\`.
           Set at: distill.logged_scores.column (--set distill.logged_scores.column=teacher_logit), logs.kind (pipeline.yaml:1:8).
           Use \`distill.logged_scores.column: rank_score\`."
  `);
});
