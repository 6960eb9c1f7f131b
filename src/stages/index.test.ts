import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { load, smallPipeline } from '../../test/support/pipeline.js';
import { snakeKeys } from '../config/config.js';
import { initText } from '../config/document.js';
import { starterKinds } from '../config/starters.js';
import { stageNames } from '../run/manifest.js';
import { stages } from './index.js';

const names = stages.map(({ name }) => name);
const isLogged = 'distill.teacher=logged';

test('the stages stand in their order, each reading earlier ones only', () => {
  expect(names).toEqual([...stageNames]);
  for (const overrides of [[], [isLogged]]) {
    const { config } = load(smallPipeline, ...overrides);
    stages.forEach((stage, i) => {
      expect(names.slice(0, i)).toEqual(expect.arrayContaining([...stage.reads(config)]));
    });
  }
});

/** The stages whose settings an override changes, beside others that hold before and after. */
function affected(override: string, ...others: string[]): string[] {
  const [before, after] = [load(smallPipeline, ...others), load(smallPipeline, ...others, override)];
  return stages
    .filter((stage) => !isDeepStrictEqual(stage.settings(before.config), stage.settings(after.config)))
    .map(({ name }) => name);
}

test.each([
  ['threads=3', []],
  ['memory_limit=1GB', []],
  ['run=elsewhere', []],
  ['training.checkpoint_every_seconds=5', []],
  ['logs.users=99', ['logs']],
  ['samples.b.weight_cap=5', ['samples']],
  ['features.min_count=3', ['samples']],
  ['features.width=8', ['codebook', 'teacher', 'distill']],
  ['features.init_scale=0.2', ['codebook', 'teacher', 'distill']],
  ['training.optimizer.learning_rate=0.1', ['codebook', 'teacher', 'distill']],
  ['towers.width=8', ['codebook', 'teacher', 'distill']],
  ['device=cpu', ['codebook', 'teacher', 'distill', 'eval']],
  ['codebook.levels=2', ['codebook', 'distill']],
  ['teacher.epochs=9', ['teacher']],
  ['teacher.recency=false', ['teacher', 'distill']],
  ['distill.epochs=9', ['distill']],
  ['distill.student.similarity_start=4', ['codebook', 'distill']],
  ['eval.teacher_top=3', ['eval']],
])('%s concerns %j', (override, expected) => {
  expect(affected(override)).toEqual(expected);
});

test.each([
  ['teacher.epochs=9', []],
  ['teacher.recency=false', []],
  ['distill.logged_scores.unit=probability', ['teacher']],
  ['distill.losses.tutor=0.3', ['distill']],
  ['towers.width=8', ['codebook', 'distill']],
  ['distill.teacher=frozen', ['teacher', 'distill', 'eval']],
])('with a logged teacher, %s concerns %j', (override, expected) => {
  expect(affected(override, isLogged)).toEqual(expected);
});

test('candidates of the logs concern the teacher only where it is logged', () => {
  const teacher = stages[names.indexOf('teacher')]!;
  expect(teacher.reads(load(smallPipeline).config)).toEqual(['samples']);
  expect(teacher.reads(load(smallPipeline, isLogged).config)).toEqual(['logs', 'samples']);
});

test('where the raw files lie does not matter to the logs, only what they hold', () => {
  const [here, there] = ['here', 'there'].map((source) => {
    const { config } = load(smallPipeline.replace('{kind: simulate}', `{kind: kuairand, source: ${source}}`));
    return stages[0]!.settings(config);
  });
  expect(here).toEqual(there);
});

test('nor where item vectors lie: a byte in them concerns the stages that code items', () => {
  const pipeline = (path: string) =>
    load(`${smallPipeline}codebook: {item_vectors: {path: ${path}}}\n`).config;
  const [here, there] = ['here', 'there'].map(pipeline);
  for (const stage of stages) expect(stage.settings(here!)).toEqual(stage.settings(there!));
  const reading = stages.filter((stage) => 'sources' in stage).map(({ name }) => name);
  expect(reading).toEqual(['logs', 'codebook']);
  const coding = stages.filter((stage) => stage.reads(here!).includes('codebook'));
  expect(coding.map(({ name }) => name)).toEqual(['distill', 'eval']);
});

/** Settings that change no output. */
const harmless = [
  'seed',
  'run',
  'threads',
  'memory_limit',
  'logs.source',
  'training.checkpoint_every_seconds',
  'training.embeddings.device_megabytes', // rounding at most
  'training.steps_per_run', // likewise
  'distill.logged_scores.column', // unless the teacher is logged
  'distill.logged_scores.unit',
];

test.each(starterKinds)('every other setting of a pipeline on %s concerns some stage', (kind) => {
  const { yaml, config } = load(initText(kind));
  const concerned = new Set(stages.flatMap((stage) => [...leaves(snakeKeys(stage.settings(config)))]));
  const forgotten = [...leaves(yaml)].filter((path) => !concerned.has(path) && !harmless.includes(path));
  expect(forgotten).toEqual([]);
});

function* leaves(value: unknown, path = ''): Generator<string> {
  if (value === null || typeof value !== 'object' || Array.isArray(value) || Object.keys(value).length === 0)
    yield path;
  else for (const [key, child] of Object.entries(value)) yield* leaves(child, path ? `${path}.${key}` : key);
}
