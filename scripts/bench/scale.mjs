/**
 * The chain on the quickstart's world at several sizes, one epoch of everything, one thread: as many times the users, or with
 * `--by requests` the same users who come as many times as often, so that rows grow and vocabularies do not. Each stage is a process of
 * its own, so that its peak memory is its own. Processor seconds are what grows with the work; the wall's depend on what else the machine does.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from '../runs.mjs';

const args = process.argv.slice(2);
const take = (name, otherwise) => {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : args.splice(at, 2)[1];
};
const isJson = args.includes('--json');
if (isJson) args.splice(args.indexOf('--json'), 1);
const times = take('--times', '1,10').split(',').map(Number);
const users = Number(take('--users', '1500'));
const keep = take('--keep');
const by = take('--by', 'users');
if (!['users', 'requests'].includes(by)) throw new Error(`--by ${by}: users or requests`);

const stages = ['logs', 'samples', 'codebook', 'teacher', 'distill', 'eval'];
const short = {
  threads: 1,
  'teacher.epochs': 1,
  'teacher.b_epochs': 0.5,
  'distill.epochs': 1,
  'distill.rivals': '[]',
  'eval.bootstrap': 100,
};
const usage = join(dirname(fileURLToPath(import.meta.url)), 'reportUsage.mjs');

function runStage(stage, run, size) {
  const grown =
    by === 'users'
      ? { 'logs.users': size * users }
      : { 'logs.users': users, 'logs.requests_per_user_day': size };
  const settings = Object.entries({ ...short, ...grown });
  const command = [
    ...['--import', usage, join(root, 'bin/cascade.js'), stage],
    ...['--config', join(root, 'configs/quickstart.yaml'), '--run', run],
    ...settings.flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ...args,
  ];
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0 && status !== 3) throw new Error(`${stage} at ${size}x ended with ${status}:\n${stderr}`);
  const reported = (name) => Number(new RegExp(`${name} ([\\d.]+)`).exec(stderr)[1]);
  return {
    stage,
    cpu_s: reported('processor ms') / 1000,
    wall_s: (performance.now() - start) / 1000,
    peak_mb: reported('peak MB'),
  };
}

const folder = keep ?? mkdtempSync(join(tmpdir(), 'cascade-scale-'));
const results = [];
try {
  for (const size of times) {
    const run = join(folder, `${size}x`);
    const measured = stages.map((stage) => runStage(stage, run, size));
    const index = JSON.parse(readFileSync(join(run, 'samples/encoded/index.json'), 'utf8'));
    const sum = (entries, what) => entries.reduce((total, entry) => total + entry[what], 0);
    results.push({
      times: size,
      users: by === 'users' ? size * users : users,
      requests: sum(index.a, 'requests'),
      candidates: sum(index.a, 'candidates') + sum(index.b, 'candidates'),
      load: loadavg()[0],
      stages: measured,
    });
  }
} finally {
  if (!keep) rmSync(folder, { recursive: true, force: true });
}

if (isJson) console.log(JSON.stringify(results));
else {
  for (const { times: size, users: count, requests, candidates, load } of results)
    console.log(
      `${size}x: ${count} users, ${requests} requests of set A, ${candidates} candidates; load ${load.toFixed(1)}`,
    );
  console.log(`\n| stage | ${results.map(({ times: size }) => `${size}x`).join(' | ')} |`);
  console.log(`| --- |${' --- |'.repeat(results.length)}`);
  stages.forEach((stage, i) => {
    const cells = results.map(({ stages: measured }) => {
      const { cpu_s, wall_s, peak_mb } = measured[i];
      return `${cpu_s.toFixed(1)} s processor, ${wall_s.toFixed(1)} s wall, ${peak_mb.toFixed(0)} MB`;
    });
    console.log(`| ${stage} | ${cells.join(' | ')} |`);
  });
}
