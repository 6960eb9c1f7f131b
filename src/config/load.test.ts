import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { complaint, complaintAbout, configFile, load, smallPipeline } from '../../test/support/pipeline.js';
import { initText } from './document.js';
import { loadConfig } from './load.js';
import { parsePath } from './path.js';

const kuairand = (source: string) =>
  smallPipeline.replace('{kind: simulate}', `{kind: kuairand, source: ${source}}`);

const source = (text: string, sets: string[] = []) => {
  const file = configFile(text);
  const { logs } = loadConfig({ file, sets }).config;
  return { source: 'source' in logs ? logs.source : null, folder: dirname(file) };
};

test('a file that says the least has all defaults', () => {
  const { config } = load(smallPipeline);
  expect(config).toMatchObject({
    seed: 1,
    samples: { split: { kind: 'days', validation: 1, test: 1 }, sequence: { maxLength: 50 } },
    training: { optimizer: { kind: 'adam', learningRate: 0.001 }, schedule: { kind: 'constant' } },
    distill: { student: { kind: 'prefix', similarityStart: 5 } },
  });
});

test("a source in the file is relative to the file's folder", () => {
  const { source: found, folder } = source(kuairand('raw/kuai'));
  expect(found).toBe(join(folder, 'raw/kuai'));
});

test('item vectors are found as a source is', () => {
  const file = configFile(`${smallPipeline}codebook: {item_vectors: {path: vectors/*.parquet}}\n`);
  const pathOf = (...sets: string[]) => loadConfig({ file, sets }).config.codebook.itemVectors!.path;
  expect(pathOf()).toBe(join(dirname(file), 'vectors/*.parquet'));
  expect(pathOf('codebook.item_vectors.path=own')).toBe(resolve('own'));
});

test('a source on the command line is relative to the working directory', () => {
  expect(source(kuairand('raw'), ['logs.source=here']).source).toBe(resolve('here'));
  expect(source(kuairand('raw'), ['logs={kind: kuairand, source: here}']).source).toBe(resolve('here'));
});

test('an absolute source stays, and ~ is the home folder', () => {
  expect(source(kuairand('/data/x')).source).toBe('/data/x');
  expect(source(kuairand('~/x')).source).toBe(join(homedir(), 'x'));
});

test('the run folder is called after the file, unless the file or the command line says otherwise', () => {
  const file = configFile(smallPipeline, 'mine.yaml');
  expect(loadConfig({ file }).config.run).toBe(resolve('runs/mine'));
  expect(loadConfig({ file, sets: ['run=there'] }).config.run).toBe(resolve('there'));
  expect(loadConfig({ file, sets: ['run=there'], run: 'here' }).config.run).toBe(resolve('here'));
  const saying = configFile(`${smallPipeline}run: out\n`);
  expect(loadConfig({ file: saying }).config.run).toBe(join(dirname(saying), 'out'));
});

test('each value knows where it comes from', () => {
  const file = configFile(`seed: 3\n${smallPipeline}`);
  const { originOf } = loadConfig({
    file,
    sets: ['teacher.heads=4', 'features.user[0].min_count=3'],
    run: 'x',
  });
  const origin = (path: string) => originOf(parsePath(path)!);
  expect(origin('seed')).toBe('pipeline.yaml:1');
  expect(origin('features.user[0].name')).toBe('pipeline.yaml:4');
  expect(origin('features.user[0].min_count')).toBe('--set');
  expect(origin('teacher.heads')).toBe('--set');
  expect(origin('teacher.width')).toBe('default');
  expect(origin('run')).toBe('--run');
});

test('a list with one element overridden names both origins', () => {
  const { originOf } = load(`${smallPipeline}eval: {cutoffs: [1, 5]}\n`, 'eval.cutoffs[1]=6');
  expect(originOf(['eval', 'cutoffs'])).toBe('pipeline.yaml:6, --set');
});

test('problems name the file as it was given', () => {
  const folder = dirname(configFile(smallPipeline));
  mkdirSync(join(folder, 'configs'));
  const file = join(folder, 'configs', 'p.yaml');
  writeFileSync(file, `${smallPipeline}seed: x\n`);
  expect(complaintAbout({ file })).toContain('configs/p.yaml:6:1  seed');
});

test('whatever stands in a file, it is loaded or told about, with a place for each problem', () => {
  const text = initText('simulate').replaceAll(/ {2}# .*|^ *#.*\n/gm, '');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const value = fc.oneof(
    fc.json(),
    fc.constantFrom(
      '',
      'null',
      '{}',
      '[]',
      '[[]]',
      '{kind: dates}',
      '{kind: id}',
      '.nan',
      '-1',
      'x',
      '*a',
      '!t',
    ),
    fc.string(),
  );
  const key = fc.constantFrom('kind', 'constructor', '__proto__', 'name', 'columns', 'seed');
  fc.assert(
    fc.property(fc.nat(lines.length - 1), value, fc.option(key), (at, given, newKey) => {
      const changed = lines.with(
        at,
        lines[at]!.replace(/(\w+):.*$/, (_, old: string) => `${newKey ?? old}: ${given}`),
      );
      const words = complaint(changed.join('\n'));
      if (words === 'no problem') return;
      expect(words).not.toContain('internal');
      for (const head of words.split('\n').filter((line) => line.startsWith('error'))) {
        expect(head).toMatch(/^error {2}config\.\w+ {2}pipeline\.yaml/);
      }
    }),
    { numRuns: 200 },
  );
});
