/**
 * One config, several seeds: each seed is a run of its own, `runs/<config>-seed-<n>`; finished ones are not trained again. Prints a
 * Markdown table of mean ± standard deviation over seeds per model and metric, and the paired differences to the two-tower with a
 * 95 % interval by Student's t (n - 1 degrees of freedom).
 */
import { spawnSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [config, ...rest] = process.argv.slice(2);
if (!config) {
  console.error('Usage: scripts/seeds CONFIG [--seeds 1,2,3] [flags of `cascade train`]');
  process.exit(2);
}
const at = rest.indexOf('--seeds');
const seeds = at < 0 ? [1, 2, 3] : rest.splice(at, 2)[1].split(',').map(Number);
const name = basename(config).replace(/\.ya?ml$/, '');

const cascade = (command, seed, flags) => {
  const run = join('runs', `${name}-seed-${seed}`);
  const args = [
    join(root, 'bin/cascade.js'),
    command,
    '--config',
    config,
    '--set',
    `seed=${seed}`,
    '--run',
    run,
    ...flags,
  ];
  const { status, stdout } = spawnSync(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) process.exit(status ?? 1);
  return stdout.toString();
};

const results = seeds.map((seed) => {
  console.error(`seed ${seed}`);
  cascade('train', seed, rest);
  return JSON.parse(cascade('eval', seed, ['--json', ...rest]));
});

const valueOf = ({ metrics }, model, set, metric) =>
  metrics.find(
    (row) =>
      row.model === model &&
      row.set === set &&
      row.metric === metric &&
      row.split === 'test' &&
      row.slice === 'all',
  )?.value ?? null;
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));
/** 97.5 % points of Student's t by degrees of freedom. */
const t = [NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const fixed = (value, digits = 4) => value.toFixed(digits).replace(/^(-?)0\./, '$1.');
const spread = (values) => (values.length > 1 ? ` ± ${fixed(deviation(values))}` : '');
const table = (titles, rows) =>
  [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const models = [...new Set(results[0].metrics.map((row) => row.model))].filter(
  (model) => !/^student_/.test(model),
);
const metrics = ['auc', 'gauc', 'request_auc', 'logloss'];
for (const set of ['a', 'b']) {
  const rows = models.map((model) => [
    model,
    ...metrics.map((metric) => {
      const values = results
        .map((result) => valueOf(result, model, set, metric))
        .filter((value) => value !== null);
      return values.length === results.length ? fixed(mean(values)) + spread(values) : '–';
    }),
  ]);
  console.log(
    `\nSet ${set.toUpperCase()}, test days, seeds ${seeds.join(', ')}: mean ± standard deviation over seeds\n`,
  );
  console.log(table(['model', ...metrics], rows));
}
const differences = models
  .filter((model) => model !== 'two_tower')
  .map((model) => {
    const values = results.map(
      (result) => valueOf(result, model, 'a', 'auc') - valueOf(result, 'two_tower', 'a', 'auc'),
    );
    const half =
      seeds.length > 1 ? (t[seeds.length - 1] ?? 1.96) * (deviation(values) / Math.sqrt(values.length)) : NaN;
    const interval = Number.isFinite(half)
      ? `[${fixed(mean(values) - half)}, ${fixed(mean(values) + half)}]`
      : '–';
    return [model, fixed(mean(values)), interval, values.map((value) => fixed(value)).join(', ')];
  });
console.log('\nAUC on set A, difference to the two-tower of the same seed\n');
console.log(table(['model', 'mean', '95 % over seeds', 'by seed'], differences));
console.log('\nVerdict by seed\n');
results.forEach(({ verdict }, i) => console.log(`- seed ${seeds[i]}: ${verdict.sentence}`));
