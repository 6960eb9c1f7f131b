import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { cascade } from '../test/support/cli.js';
import { configFile, smallPipeline, temporaryFolder } from '../test/support/pipeline.js';
import { loadConfig } from './config/load.js';

const commands = [
  'train',
  'status',
  'logs',
  'samples',
  'codebook',
  'teacher',
  'distill',
  'eval',
  'init',
  'validate',
  'schema',
  'doctor',
];

test('help lists every command, with examples and exit codes', async () => {
  const { code, out, err } = await cascade('--help');
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatchInlineSnapshot(`
    "Usage: cascade [options] [command]

    From recommendation logs to a trained, proven pre-ranker.

    Options:
      -V, --version   output the version number
      -h, --help      display help for command

    The whole chain:
      train           run every stage that must run, go on where it was cut off,
                      print the verdict
      status          how a run stands, stage by stage; changes nothing

    One stage of it:
      logs            raw logs to canonical tables
      samples         tables to sample sets A and B, vocabularies, shards
      codebook        item codes by residual quantisation
      teacher         target-attention ranker, and set C: its scores
      distill         student and its simple rivals
      eval            metrics, verdict and report

    The config:
      init            write a full, commented config to start from
      validate        check a config and say where its values come from
      schema          print the JSON Schema of the config, for editors

    The machine:
      doctor          what there is to train on, what auto takes and why, what to
                      install for more

    Commands:
      help [command]  display help for command

    Examples:
      cascade init pipeline.yaml --kind simulate
      cascade train --config pipeline.yaml
      cascade eval --config pipeline.yaml --json

    Exit codes: 0 done; 1 failed (data, device, disk, internal); 2 usage or config; 3 a gate said no.
    "
  `);
});

test('help needs neither the schema nor an engine: the file of the command line imports none of them', () => {
  const text = readFileSync(new URL('cli.ts', import.meta.url), 'utf8');
  const imports = [...text.matchAll(/^import .* from '(.*)';$/gm)].map(([, name]) => name);
  expect(imports).toEqual(['node:fs', 'commander', './errors.js']);
  expect(readFileSync(new URL('errors.ts', import.meta.url), 'utf8')).not.toMatch(/^import /m);
});

test.each(commands)('the help of %s has examples that begin as one would type them', async (command) => {
  const { code, out } = await cascade(command, '--help');
  expect(code).toBe(0);
  expect(out.split('Examples:\n')[1]).toMatch(new RegExp(`^ {2}cascade ${command}`));
  expect(await cascade('help', command)).toMatchObject({ code: 0, out });
});

test('no command at all prints the help and is a usage error', async () => {
  const { code, out, err } = await cascade();
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain('Usage: cascade');
});

test('misspelled commands and flags are refused with the nearest', async () => {
  expect(await cascade('trian')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "err": "error  usage.unknown_command
           Unknown command 'trian'.
           Did you mean train?
    ",
      "out": "",
    }
  `);
  expect(await cascade('train', '--confg', 'x')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "err": "error  usage.unknown_option
           Unknown option '--confg'.
           Did you mean --config?
    ",
      "out": "",
    }
  `);
  expect(await cascade('train', '--config', 'x', '--only', 'techer')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "err": "error  usage.invalid_argument
           Option '--only <stage>' argument 'techer' is invalid. Allowed choices are logs, samples, codebook, teacher, distill, eval.
           See \`cascade train --help\`.
    ",
      "out": "",
    }
  `);
  expect(await cascade('eval', '--config', 'x', 'more')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "err": "error  usage.excess_arguments
           Too many arguments for 'eval'. Expected 0 arguments but got 1.
           See \`cascade eval --help\`.
    ",
      "out": "",
    }
  `);
  expect(await cascade('eval', '--config')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "err": "error  usage.option_missing_argument
           Option '--config <file>' argument missing.
           See \`cascade eval --help\`.
    ",
      "out": "",
    }
  `);
});

test('a command without its config says which flag is missing', async () => {
  expect(await cascade('teacher', '--json')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "err": "error  usage.no_config
           No config was given.
           For example: cascade teacher --config pipeline.yaml. \`cascade init pipeline.yaml\` writes one.
    ",
      "out": "",
    }
  `);
});

test('flags that exclude each other are refused', async () => {
  const { code, err } = await cascade('train', '--config', 'x', '--only', 'eval', '--from', 'eval');
  expect(code).toBe(2);
  expect(err).toContain("cannot be used with option '--from <stage>'");
});

test('a bad config is a usage error, before any data is read', async () => {
  const file = configFile(`${smallPipeline}sead: 3\n`);
  const { code, out, err } = await cascade('train', '--config', file);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain('Did you mean `seed`?');
});

test('validate says OK, and how many values come from where', async () => {
  const file = configFile(smallPipeline);
  const { code, out, err } = await cascade(
    'validate',
    '--config',
    file,
    '--set',
    'seed=3',
    '--run',
    '/runs/x',
  );
  expect([code, err]).toEqual([0, '']);
  expect(out.replace(file, 'pipeline.yaml').replace(/\d+ default/, 'N default')).toBe(
    'OK  pipeline.yaml: values by origin: 1 --set, 1 --run, N default, 8 pipeline.yaml. Run folder: /runs/x\n',
  );
});

test('validate --resolved prints a config that gives the same config', async () => {
  const file = configFile(smallPipeline);
  const { out } = await cascade('validate', '--config', file, '--set', 'seed=3', '--resolved');
  const again = loadConfig({ file: configFile(out) });
  expect(again.config).toEqual(loadConfig({ file, sets: ['seed=3'] }).config);
});

test('validate --json prints one document, also of what is wrong', async () => {
  const good = await cascade('validate', '--config', configFile(smallPipeline), '--json');
  expect(JSON.parse(good.out)).toMatchObject({
    ok: true,
    values: { 'pipeline.yaml': 8 },
    config: { seed: 1 },
  });
  const bad = await cascade('validate', '--config', configFile(`${smallPipeline}seed: x\n`), '--json');
  expect(bad.code).toBe(2);
  expect(JSON.parse(bad.out)).toMatchObject({
    ok: false,
    problems: [
      { code: 'config.wrong_type', subject: 'seed', where: expect.stringMatching(/:6:1$/) as string },
    ],
  });
  expect(bad.err).toContain('config.wrong_type');
});

test('init writes a file that validates, and does not write over one', async () => {
  const file = join(temporaryFolder(), 'new/mine.yaml');
  expect(await cascade('init', file, '--kind', 'tables')).toMatchObject({ code: 0, err: '' });
  expect(await cascade('validate', '--config', file)).toMatchObject({ code: 0 });
  const written = readFileSync(file, 'utf8');
  const again = await cascade('init', file);
  expect([again.code, again.out]).toEqual([2, '']);
  expect(again.err).toContain('usage.file_exists');
  expect(readFileSync(file, 'utf8')).toBe(written);
  await cascade('init', file, '--force', '--kind', 'kuairand');
  expect(readFileSync(file, 'utf8')).toContain('kind: kuairand');
});

test('schema prints the JSON Schema', async () => {
  const { code, out } = await cascade('schema');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ type: 'object', required: ['logs', 'features'] });
});

test('status wants a config or a folder in which a command has worked', async () => {
  const neither = await cascade('status');
  expect([neither.code, neither.out]).toEqual([2, '']);
  expect(neither.err).toContain('usage.no_config');
  const empty = temporaryFolder();
  const bare = await cascade('status', '--run', empty);
  expect(bare.code).toBe(2);
  expect(bare.err).toContain(`usage.no_config  ${empty}`);
});

test('a dry run and a status touch nothing', async () => {
  const file = configFile(smallPipeline);
  const folder = join(dirname(file), 'run');
  const dry = await cascade('train', '--config', file, '--run', folder, '--dry-run');
  expect([dry.code, dry.err]).toEqual([0, '']);
  expect(dry.out).toContain('logs      run    not run before\n');
  expect(await cascade('status', '--config', file, '--run', folder)).toMatchObject({ code: 0, err: '' });
  expect(existsSync(folder)).toBe(false);
});
