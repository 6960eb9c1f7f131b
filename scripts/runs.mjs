/** What scripts that train several runs share: starting `cascade`, reading its metrics, means over seeds, Markdown tables. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Takes `--seeds 1,2,3` out of the arguments; 1 to 3 where it is not given. */
export function takeSeeds(args) {
  const at = args.indexOf('--seeds');
  return at < 0 ? [1, 2, 3] : args.splice(at, 2)[1].split(',').map(Number);
}

/** Runs a command of `cascade` and returns what it printed; ends this script where it fails. Progress goes to standard error. */
export function cascade(command, args) {
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'bin/cascade.js'), command, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) process.exit(status ?? 1);
  return stdout.toString();
}

/** Trains a run to its end, unless it is there already, and returns { verdict, metrics, measures, health }. */
export function trained(args) {
  cascade('train', args);
  const { measures, health } = JSON.parse(cascade('distill', [...args, '--json']));
  return { ...JSON.parse(cascade('eval', [...args, '--json'])), measures, health };
}

/** One value of the metric rows over all of a split, or null. */
export const valueOf = ({ metrics }, model, set, metric, split = 'test') =>
  metrics.find(
    (row) =>
      row.model === model &&
      row.set === set &&
      row.metric === metric &&
      row.split === split &&
      row.slice === 'all',
  )?.value ?? null;

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));

/** `.7410 ± .0007`: mean and standard deviation over seeds. */
export const meanAndSpread = (values) =>
  values.length > 1 ? `${fixed(mean(values))} ± ${fixed(deviation(values))}` : fixed(mean(values));

/** 97.5 % points of Student's t by degrees of freedom. */
const t = [NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** 95 % interval of the mean over seeds. */
export function interval(values) {
  if (values.length < 2) return '–';
  const half = (t[values.length - 1] ?? 1.96) * (deviation(values) / Math.sqrt(values.length));
  return `[${fixed(mean(values) - half)}, ${fixed(mean(values) + half)}]`;
}

export const fixed = (value, digits = 4) => value.toFixed(digits).replace(/^(-?)0\./, '$1.');

export const table = (titles, rows) =>
  [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
