/**
 * A training step (a small regression on the batch's rows, Adam) with the same number of distinct rows in each batch and tables of more
 * and more rows. Each case is a process of its own, so that its peak memory is its own. Two ways to draw a batch's rows:
 *   in use   from 10,000 rows that lie scattered over the table, as a day's users and items do: every case does the same work
 *   uniform  from the whole table, the worst that can be: in a large one every row is new, is made, and is written when the cache is full
 * Milliseconds are means over the steps after a tenth of them, so that writing out a full cache and a checkpoint at the end are in
 * them; a table in memory is left out where it would take more than half of the memory that is free.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { MemoryTable } from '../../dist/engine/tables/embeddings.js';
import { FileRows } from '../../dist/engine/tables/fileRows.js';
import { slotStarts, trainedModel } from '../../dist/engine/gradients.js';
import { makeOptimizer } from '../../dist/engine/optim/make.js';
import { RandomStream } from '../../dist/engine/random.js';
import { SeededTable } from '../../dist/engine/tables/seededTable.js';
import { modelState } from '../../dist/engine/state.js';
import { TrainingStep } from '../../dist/engine/step.js';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    rows: { type: 'string', default: '1e4,1e5,1e6,1e7,1e8' },
    unique: { type: 'string', default: '2048' },
    steps: { type: 'string', default: '200' },
    cache: { type: 'string', default: '64' },
    folder: { type: 'string' },
    case: { type: 'string' },
  },
});
const unique = Number(flags.unique);
const steps = Number(flags.steps);
const width = 16;
const rowsInUse = 10_000;

/** `unique` distinct rows of a table. */
function batchRows(stream, draw, rows) {
  const chosen = new Set();
  while (chosen.size < unique) {
    const row = draw === 'uniform' ? stream.below(rows) : stream.below(rowsInUse) * (rows / rowsInUse);
    chosen.add(Math.floor(row));
  }
  return Int32Array.from(chosen);
}

const regression = ({ model }, { target }) => {
  const error = tf.sub(tf.matMul(model.rows, model.parameters.w), target);
  return { error: { value: tf.mean(tf.square(error)), weight: 1 } };
};

const megabytesOf = (folder) =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).blocks / 2048, 0);

/** One case in this process. */
async function measure({ kind, draw, rows }) {
  const optimizer = makeOptimizer({
    kind: 'adam',
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
  });
  const folder = mkdtempSync(join(flags.folder ?? tmpdir(), 'cascade-bench-'));
  try {
    const stream = RandomStream.of(1, `${draw} rows`);
    const w = { shape: [width, width], values: stream.normals(width * width, 0.2) };
    const seeded = new SeededTable({ rows, width, deviation: 0.1, key: [1, 2] });
    const file =
      kind === 'file' &&
      new FileRows({
        path: join(folder, 'model.rows'),
        base: seeded,
        slotStarts: slotStarts(optimizer),
        cacheBytes: Number(flags.cache) * 2 ** 20,
      });
    const table = file ? seeded : MemoryTable.from(rows, width, new Float32Array(rows * width).fill(0.1));
    const model = trainedModel(modelState({ w }, table), optimizer, () => 1e-3, file || undefined);
    const step = new TrainingStep({
      name: 'bench',
      trained: { model },
      frozen: {},
      loss: regression,
      optimizer,
      learningRate: () => 1e-3,
      clipNorm: 0,
      device: { provider: 'cpu', threads: 1 },
      saveTo: folder,
    });
    const target = {
      spec: { shape: [unique, width], dtype: 'float32' },
      data: stream.normals(unique * width),
    };
    const first = Math.ceil(steps / 10);
    let cpu = process.cpuUsage();
    let start = performance.now();
    for (let number = 1; number <= first + steps; number++) {
      if (number === first + 1) [cpu, start] = [process.cpuUsage(), performance.now()];
      const rowIds = batchRows(stream, draw, rows);
      await step.take({ rowIds, rowCount: unique, tensors: { target } }, number);
    }
    if (file) file.mark();
    const { user, system } = process.cpuUsage(cpu);
    const wall = performance.now() - start;
    return {
      kind,
      draw,
      rows,
      cpu_ms: (user + system) / 1000 / steps,
      wall_ms: wall / steps,
      peak_mb: process.resourceUsage().maxRSS / 1024,
      disk_mb: megabytesOf(folder),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (flags.case) {
  console.log(JSON.stringify(await measure(JSON.parse(flags.case))));
  process.exit(0);
}

const cases = flags.rows
  .split(',')
  .map(Number)
  .flatMap((rows) =>
    ['in use', 'uniform'].flatMap((draw) => ['memory', 'file'].map((kind) => ({ kind, draw, rows }))),
  );
const results = [];
if (!flags.json)
  console.log(`${unique} distinct rows of ${width} a step, Adam, ${steps} steps, one thread\n`);
for (const one of cases) {
  const arrays = 3; // weights and two moments
  if (one.kind === 'memory' && one.rows * width * 4 * arrays > freemem() / 2) continue;
  const args = ['--unique', '--steps', '--cache', '--folder'].flatMap((flag) => {
    const value = flags[flag.slice(2)];
    return value === undefined ? [] : [flag, value];
  });
  const child = [process.argv[1], ...args, '--case', JSON.stringify(one)];
  const result = JSON.parse(execFileSync(process.execPath, child, { stdio: ['ignore', 'pipe', 'inherit'] }));
  results.push(result);
  if (flags.json) continue;
  const cells = [
    `${result.rows.toExponential(0)} rows`,
    result.draw.padEnd(7),
    result.kind.padEnd(6),
    `${result.cpu_ms.toFixed(2).padStart(6)} ms processor`,
    `${result.wall_ms.toFixed(2).padStart(6)} ms wall`,
    `${result.peak_mb.toFixed(0).padStart(5)} MB peak`,
    ...(result.kind === 'file' ? [`${result.disk_mb.toFixed(0).padStart(5)} MB disk`] : []),
  ];
  console.log(cells.join('  '));
}
if (flags.json) console.log(JSON.stringify({ unique, steps, width, results }));
