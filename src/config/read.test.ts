import { symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import {
  complaint,
  complaintAbout,
  configFile,
  load,
  smallPipeline,
  temporaryFolder,
} from '../../test/support/pipeline.js';

test('every fault of the syntax is told, with line and column', () => {
  expect(complaint('seed: @1\nrun: `x`\nlogs: "open\n')).toMatchInlineSnapshot(`
    "error  config.yaml_syntax  pipeline.yaml:1:7
           This is not valid YAML: Plain value cannot start with reserved character @.
           Put the value in quotes.
    error  config.yaml_syntax  pipeline.yaml:2:6
           This is not valid YAML: Plain value cannot start with reserved character \`.
           Put the value in quotes.
    error  config.yaml_syntax  pipeline.yaml:4:1
           This is not valid YAML: Missing closing "quote.
           Close the quote or bracket on this or an earlier line."
  `);
});

test('a tab is named as the reason', () => {
  expect(complaint('logs:\n\tkind: simulate\n')).toMatchInlineSnapshot(`
    "error  config.yaml_syntax  pipeline.yaml:2:1
           This is not valid YAML: Tabs are not allowed as indentation.
           Indent with spaces: YAML knows no tabs."
  `);
});

test('a key that stands twice is told with both lines, along with faults of the values', () => {
  expect(complaint(`seed: 1\n${smallPipeline}seed: -2\nthreads: -3\n`)).toMatchInlineSnapshot(`
    "error  config.duplicate_key  pipeline.yaml:7:1  seed
           \`seed\` stands twice in this section; the first is at pipeline.yaml:1:1.
           Remove one of the two.
    error  config.out_of_range  pipeline.yaml:8:1  threads
           \`threads\` must be a whole number of at least 0; it is -3.
           It means: processor threads; 0 = all (default 0)."
  `);
});

test('two documents in a file are refused', () => {
  expect(complaint('seed: 1\n---\nseed: 2\n')).toMatchInlineSnapshot(`
    "error  config.yaml_syntax  pipeline.yaml:2:1
           A second document begins here.
           One file holds one pipeline: remove the \`---\` and what follows."
  `);
});

test('a tag is refused', () => {
  expect(complaint(`${smallPipeline}run: !env HOME\n`)).toMatchInlineSnapshot(`
    "error  config.yaml_syntax  pipeline.yaml:6:6
           This is not valid YAML: Unresolved tag: !env.
           Remove the \`!tag\`: settings are plain text, numbers, lists and mappings."
  `);
});

test('a list as the whole file is refused', () => {
  expect(complaint('- seed: 1\n')).toMatchInlineSnapshot(`
    "error  config.not_a_mapping  pipeline.yaml:1:1
           A pipeline is a mapping of \`key: value\` lines; this file holds a list.
           See \`cascade init\` for a full, commented file."
  `);
});

test('an empty file, or one of comments only, is refused', () => {
  expect(complaint('')).toMatchInlineSnapshot(`
    "error  config.empty  pipeline.yaml
           This file holds no settings: it is empty or all comments.
           Write a full, commented file with \`cascade init pipeline.yaml --force\`."
  `);
  expect(complaint('# nothing\n')).toMatch(/^error {2}config\.empty {2}pipeline\.yaml\n/);
});

test('a missing file is refused', () => {
  expect(complaintAbout({ file: join(temporaryFolder(), 'pipelin.yaml') })).toMatchInlineSnapshot(`
    "error  config.missing_file  pipelin.yaml
           There is no such file.
           Check --config, or write a full, commented file with \`cascade init pipelin.yaml\`."
  `);
});

test('a folder in place of the file is refused, and its YAML files are named', () => {
  const folder = dirname(configFile(smallPipeline));
  const words = complaintAbout({ file: folder });
  expect(words).toContain('config.is_a_folder');
  expect(words).toContain('YAML files in it: pipeline.yaml.');
});

test('a file that cannot be read for another reason is refused', () => {
  const loop = join(temporaryFolder(), 'loop.yaml');
  symlinkSync(loop, loop);
  expect(complaintAbout({ file: loop })).toContain('config.unreadable_file');
});

test('bytes that are not UTF-8 are told with their line', () => {
  const text = Buffer.concat([Buffer.from('seed: 1\nrun: "'), Buffer.from([0xff, 0xfe]), Buffer.from('"\n')]);
  expect(complaint(text)).toMatchInlineSnapshot(`
    "error  config.not_utf8  pipeline.yaml:2:1
           This line is not text in UTF-8.
           Save the file as UTF-8."
  `);
});

test('a byte order mark is read over', () => {
  expect(load(`\uFEFFseed: 7\n${smallPipeline}`).config.seed).toBe(7);
});

test('aliases and merge keys are followed; own keys beat merged ones, earlier sources beat later ones', () => {
  const { config } = load(`
logs: {kind: simulate, users: &n 321, items: *n}
features:
  user:
    - &user {name: user_id, kind: id, column: requests.user_id, min_count: 5}
    - {<<: *user, name: again, min_count: 6}
  item:
    - &item {name: item_id, kind: id, column: items.item_id, nulls: error}
    - {name: category, <<: [{column: items.category}, *item]}
  sequence: [item_id]
`);
  expect(config.logs).toMatchObject({ users: 321, items: 321 });
  expect(config.features.user[1]).toEqual({
    name: 'again',
    kind: 'id',
    column: 'requests.user_id',
    minCount: 6,
    nulls: 'own_row',
  });
  expect(config.features.item[1]).toMatchObject({
    name: 'category',
    column: 'items.category',
    nulls: 'error',
  });
});

test('a fault in a merged value is told where the value really stands', () => {
  const text = `
logs: {kind: simulate}
features:
  user: [&user {name: user_id, kind: id, column: requests.user_id, min_count: 0}]
  item: [{<<: *user, name: item_id, column: items.item_id}]
  sequence: [item_id]
`;
  expect(complaint(text).match(/pipeline.yaml:\S+ {2}features\S+/g)).toEqual([
    'pipeline.yaml:4:68  features.user[0].min_count',
    'pipeline.yaml:4:68  features.item[0].min_count',
  ]);
});

test('an alias without an anchor is told', () => {
  expect(complaint(`${smallPipeline}run: *missing\n`)).toMatchInlineSnapshot(`
    "error  config.yaml_syntax  pipeline.yaml:6:6
           There is no anchor \`&missing\` before the alias \`*missing\`.
           Write the anchor first; or put the value in quotes if it merely begins with \`*\`."
  `);
});

test('a merge of something that is no mapping is told', () => {
  expect(complaint(`${smallPipeline}teacher: {<<: 3}\n`)).toMatchInlineSnapshot(`
    "error  config.yaml_syntax  pipeline.yaml:6:11
           \`<<\` takes a mapping or a list of mappings, such as \`<<: *anchor\`."
  `);
});

test('aliases that contain themselves or multiply without end are refused', () => {
  expect(complaint('logs: &a [*a]\n')).toMatchInlineSnapshot(`
    "error  config.too_large  pipeline.yaml:1:11
           The settings are nested deeper than 32 levels or hold more than 20000 values; aliases that contain each other do that.
           Write the values out instead of the aliases."
  `);
  const doubled = Array.from({ length: 25 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`).join('\n');
  expect(complaint(`a0: &a0 [1, 1]\n${doubled}\n`)).toContain('config.too_large');
});
