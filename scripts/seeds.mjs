/**
 * One config, several seeds: each seed is a run of its own, `runs/<config>-seed-<n>`; finished ones are not trained again. Prints a
 * Markdown table of mean ± standard deviation over seeds per model and metric, and the paired differences to the two-tower with a
 * 95 % interval by Student's t (n - 1 degrees of freedom).
 */
import { basename, join } from 'node:path';
import { fixed, interval, mean, meanAndSpread, table, takeSeeds, trained, valueOf } from './runs.mjs';

const [config, ...rest] = process.argv.slice(2);
if (!config) {
  console.error('Usage: scripts/seeds CONFIG [--seeds 1,2,3] [flags of `cascade train`]');
  process.exit(2);
}
const seeds = takeSeeds(rest);
const name = basename(config).replace(/\.ya?ml$/, '');

const results = seeds.map((seed) => {
  console.error(`seed ${seed}`);
  const run = join('runs', `${name}-seed-${seed}`);
  return trained(['--config', config, '--set', `seed=${seed}`, '--run', run, ...rest]);
});

const models = [...new Set(results[0].metrics.map((row) => row.model))].filter(
  (model) => !/^student_/.test(model),
);
const metrics = ['auc', 'gauc', 'request_auc', 'logloss'];
for (const set of ['a', 'b']) {
  const rows = models.map((model) => [
    model,
    ...metrics.map((metric) => {
      const values = results.map((result) => valueOf(result, model, set, metric));
      return values.includes(null) ? '–' : meanAndSpread(values);
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
    return [model, fixed(mean(values)), interval(values), values.map((value) => fixed(value)).join(', ')];
  });
console.log('\nAUC on set A, difference to the two-tower of the same seed\n');
console.log(table(['model', 'mean', '95 % over seeds', 'by seed'], differences));
console.log('\nVerdict by seed\n');
results.forEach(({ verdict }, i) => console.log(`- seed ${seeds[i]}: ${verdict.sentence}`));
