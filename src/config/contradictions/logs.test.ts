import { expect, test } from 'vitest';
import { complaint, simulated, smallPipeline, withLines } from '../../../test/support/pipeline.js';

const taobao = (settings: string, samples: string) =>
  `${smallPipeline.replace('kind: simulate', `kind: taobao, source: .${settings}`)}samples: {split: ${samples}}\n`;

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
