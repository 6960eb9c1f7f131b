/**
 * Variants of one config, each with several seeds, against the config as it is: what a setting is worth. A table in scripts/ablations/
 * names the config, `settings` that every run of it has, and the variants. Per seed the config itself is trained first, whole; a variant starts from a copy of that run, so
 * that only the stages run again whose settings it changes. Prints a Markdown table; finished runs are not trained again.
 */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { fixed, interval, mean, meanAndSpread, root, table, takeSeeds, trained, valueOf } from './runs.mjs';

const [file, ...flags] = process.argv.slice(2);
if (!file) {
  console.error('Usage: scripts/ablate TABLE [--seeds 1,2,3] [--only NAME,…] [flags of `cascade train`]');
  process.exit(2);
}
const seeds = takeSeeds(flags);
const onlyAt = flags.indexOf('--only');
const only = onlyAt < 0 ? null : flags.splice(onlyAt, 2)[1].split(',');
const { config, settings: world = {}, variants } = parse(readFileSync(file, 'utf8'));
const folder = join('runs', `ablations-${basename(file).replace(/\.ya?ml$/, '')}`);

const sets = (settings) =>
  Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
const chosen = Object.entries(variants).filter(([name]) => !only || only.includes(name));

const base = [];
const outcomes = new Map(chosen.map(([name]) => [name, []]));
for (const seed of seeds) {
  const common = ['--config', join(root, config), '--set', `seed=${seed}`, ...sets(world), ...flags];
  const baseRun = join(folder, `seed-${seed}`, 'base');
  console.error(`seed ${seed}: the config as it is`);
  base.push(trained([...common, '--run', baseRun]));
  for (const [name, settings] of chosen) {
    console.error(`seed ${seed}: ${name}`);
    const run = join(folder, `seed-${seed}`, name);
    if (!existsSync(run)) cpSync(baseRun, run, { recursive: true, preserveTimestamps: true });
    // The rivals are those of the base run: nothing that a variant may change moves them.
    const args = [...common, ...sets({ 'distill.rivals': [], ...settings }), '--run', run];
    outcomes.get(name).push(trained(args));
  }
}

const aucs = (results, model, split) => results.map((result) => valueOf(result, model, 'a', 'auc', split));
/** Within-request errors of its attention term and of its vector, its share of the teacher's picks, codes in use and their perplexity by level. */
const studentMeasures = (results) => [
  meanOf(results.map(({ measures }) => measures.within_request_error)),
  meanOf(results.map(({ measures }) => measures.teacher_vector_error)),
  meanOf(results.map((result) => valueOf(result, 'student', 'b', 'teacher_recall@3'))),
  ...['usage', 'perplexity'].map((measure) => byLevel(results, measure)),
];
/** `98, 95 %` or `50, 41`: a measure of the codes over seeds, level by level. */
const byLevel = (results, measure) => {
  const means = results[0].health.levels.map((_, level) =>
    mean(results.map(({ health }) => health.levels[level][measure])),
  );
  const isShare = measure === 'usage';
  return `${means.map((value) => (isShare ? 100 * value : value).toFixed(0)).join(', ')}${isShare ? ' %' : ''}`;
};
const meanOf = (values) => (values.every(Number.isFinite) ? meanAndSpread(values) : '–');
const row = (name, settings, results, model) => {
  const test = aucs(results, model, 'test');
  const differences = test.map((value, i) => value - valueOf(base[i], 'student', 'a', 'auc'));
  return [
    name,
    settings,
    meanAndSpread(aucs(results, model, 'validation')),
    meanAndSpread(test),
    results === base && model === 'student' ? '' : `${fixed(mean(differences))} ${interval(differences)}`,
    ...(model === 'student' ? studentMeasures(results) : ['', '', '', '', '']),
  ];
};
const words = (settings) =>
  Object.entries(settings)
    .map(([key, value]) => `\`${key}=${JSON.stringify(value)}\``)
    .join(' ');
const rivals = [...new Set(base[0].metrics.map(({ model }) => model))].filter(
  (model) => !/^student/.test(model),
);
console.log(
  `\nAUC on set A, seeds ${seeds.join(', ')}; difference to the student of the config as it is, 95 % over seeds\n`,
);
console.log(
  table(
    [
      'variant',
      'settings',
      'validation',
      'test',
      'difference',
      'within-request error',
      "error of the teacher's vector",
      'teacher_recall@3',
      'codes in use',
      'perplexity',
    ],
    [
      row('**the config as it is**', '', base, 'student'),
      ...rivals.map((model) => row(model, '', base, model)),
      ...chosen.map(([name, settings]) => row(name, words(settings), outcomes.get(name), 'student')),
    ],
  ),
);
