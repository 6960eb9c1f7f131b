/**
 * Whole trainings of our pipeline against the same in PyTorch (torch_train.py), each in a process of its own and in turn: start the
 * process, read the samples' Parquet, encode ids as embedding rows, train some epochs in the same order from the same weights, score
 * the validation split after each, write the weights. Fitting vocabularies and first codes is on neither side: both read the same.
 *
 * A training's first loss must agree to 1e-5, those after it as closely as rounding lets them, and its last AUC to .01, or its times do
 * not count. Printed are medians over rounds of wall clock, processor time and peak memory as the operating system accounts for them,
 * ratios taken within a round (above 1: ours is faster, or smaller), and where the time of our training went: the shares of a round add
 * up to 100 %. The world is the quickstart's with three times its users: a training of 1,300 steps, the shortest of which takes some eight
 * seconds. What is paid once, such as compiling, weighs more in a shorter one: `--users 1500` is the quickstart itself.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './median.mjs';
import { requireTorch } from './torchProcess.mjs';
import { prepare, trainedModels } from './trainInputs.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    ours: { type: 'boolean' },
    models: { type: 'string', default: trainedModels.join(',') },
    rounds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '4' },
    users: { type: 'string', default: '4500' },
    threads: { type: 'string', default: '1' },
    run: { type: 'string', default: 'runs/bench-train' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const python = flags.ours ? null : requireTorch('pyarrow');
const environment = {
  ...process.env,
  OMP_NUM_THREADS: flags.threads,
  MKL_NUM_THREADS: flags.threads,
  PYTHONDONTWRITEBYTECODE: '1',
};

/**
 * By how much the first losses may differ, relatively, and the last AUC. Adam's first steps divide each gradient by its own size, so
 * that rounding decides where those that are nearly 0 go.
 */
const tolerance = { losses: [1e-5, 1e-4, 1e-3], auc: 0.01 };

/** One training in a process: what it printed as JSON, and its wall clock from outside. */
function train(program, script, task) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(program, [join(here, script), task], {
    encoding: 'utf8',
    env: environment,
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`);
  return { wall_ms: performance.now() - start, ...JSON.parse(stdout) };
}

/** The relative differences of the first losses; throws where a side trains something else. */
function compare(model, ours, torch) {
  const errors = tolerance.losses.map((_, i) => Math.abs(ours.losses[i] / torch.losses[i] - 1));
  const faults = [
    ...errors.flatMap((error, i) =>
      error <= tolerance.losses[i] ? [] : [`loss ${i + 1} is ${ours.losses[i]}, ${torch.losses[i]}`],
    ),
    ...(ours.losses.length === torch.losses.length
      ? []
      : [`steps ${ours.losses.length}, ${torch.losses.length}`]),
    ...(Math.abs(ours.auc.at(-1) - torch.auc.at(-1)) <= tolerance.auc
      ? []
      : [`AUC ${ours.auc.at(-1)}, ${torch.auc.at(-1)}`]),
  ];
  if (faults.length > 0) throw new Error(`${model} differs, ours and PyTorch: ${faults.join('; ')}`);
  return errors;
}

const sides = ['ours', ...(python ? ['torch'] : [])];
const figures = ['wall_ms', 'cpu_ms', 'peak_mb', 'read_ms', 'train_ms'];
const work = mkdtempSync(join(tmpdir(), 'cascade-bench-'));
const result = { rounds: Number(flags.rounds), epochs: Number(flags.epochs), threads: Number(flags.threads) };
try {
  for (const model of flags.models.split(',')) {
    const task = await prepare(model, {
      ...flags,
      epochs: Number(flags.epochs),
      threads: Number(flags.threads),
      work,
    });
    const runs = { ours: [], torch: [] };
    for (let round = 0; round < result.rounds; round++) {
      for (const side of sides)
        runs[side].push(
          side === 'ours'
            ? train(process.execPath, 'trainOurs.mjs', task)
            : train(python, 'torch_train.py', task),
        );
    }
    const of = (side) =>
      Object.fromEntries(figures.map((figure) => [figure, median(runs[side].map((run) => run[figure]))]));
    const ratio = (figure) => median(runs.ours.map((run, round) => runs.torch[round][figure] / run[figure]));
    result[model] = {
      steps: runs.ours[0].losses.length,
      ...Object.fromEntries(sides.map((side) => [side, { ...of(side), auc: runs[side][0].auc.at(-1) }])),
      shares: sharesOf(runs.ours),
      ...(python && {
        loss_differences: compare(model, runs.ours[0], runs.torch[0]),
        speed_vs_torch: ratio('wall_ms'),
        processor_vs_torch: ratio('cpu_ms'),
        memory_vs_torch: ratio('peak_mb'),
      }),
    };
    if (!flags.json) print(model, result[model]);
  }
  if (flags.json) console.log(JSON.stringify(result));
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Medians over rounds of the parts of a training's time. */
function sharesOf(rounds) {
  const parts = ['engine', 'compile', 'between', 'batch', 'validation', 'checkpoint'];
  const share = (run, part) => run[`${part}_ms`] / run.train_ms;
  const loop = (run) => 1 - parts.reduce((sum, part) => sum + share(run, part), 0);
  const ofParts = parts.map((part) => [part, median(rounds.map((run) => share(run, part)))]);
  return { ...Object.fromEntries(ofParts), loop: median(rounds.map(loop)) };
}

function print(model, figuresOf) {
  const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
  for (const side of sides) {
    const { wall_ms, cpu_ms, peak_mb, read_ms, train_ms, auc } = figuresOf[side];
    console.log(
      `${model.padEnd(10)} ${side.padEnd(6)} ${seconds(wall_ms)} (start ${seconds(wall_ms - read_ms - train_ms)}, read ${seconds(read_ms)}, train ${seconds(train_ms)}), processor ${seconds(cpu_ms)}, peak ${peak_mb.toFixed(0)} MB, validation AUC ${auc.toFixed(4)}`,
    );
  }
  const { engine, compile, between, batch, validation, checkpoint, loop } = figuresOf.shares;
  const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  const times = (ratio) => `${ratio.toFixed(2)}x`;
  const against = figuresOf.speed_vs_torch
    ? `, ${times(figuresOf.speed_vs_torch)} as fast, ${times(figuresOf.processor_vs_torch)} by processor time, ${times(1 / figuresOf.memory_vs_torch)} the memory`
    : '';
  console.log(
    `${model.padEnd(10)} ${figuresOf.steps} steps, engine busy ${percent(engine)}, compiling ${percent(compile)}, refitting codes ${percent(between)}, waiting for batches ${percent(batch)}, validating beyond that ${percent(validation)}, checkpoints ${percent(checkpoint)}, between steps ${percent(loop)}${against}`,
  );
}
