/**
 * One training step of our engine against the same step in PyTorch (torch_models.py says what is equal), interleaved: each round takes
 * some steps on each side, and the median over rounds of a side's milliseconds per step is what is compared. Processor time of the
 * process, one thread. Embedding look-ups, their gradients and Adam over weights and rows are in the step on both sides; reading and
 * assembling batches is on neither. A ratio above 1 means that ours is faster. Before it measures, the bench compares the loss terms
 * of the first steps: a side that computes something else cannot win.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeSafetensors } from '../../dist/engine/safetensors.js';
import { median } from './median.mjs';
import { makeBatch, makeStep, stepNames, storedStep } from './pipelineSteps.mjs';
import { requireTorch, startTorch } from './torchProcess.mjs';

const list = (text) => (text === undefined ? [] : text.split(','));
const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    ours: { type: 'boolean' },
    models: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    steps: { type: 'string', default: '5' },
    without: { type: 'string' },
    before: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    'device-megabytes': { type: 'string' },
    'steps-per-run': { type: 'string', default: '1' },
  },
});
const python = flags.ours ? null : requireTorch();
const names = flags.models ? list(flags.models) : stepNames;
const rounds = Number(flags.rounds);
const stepsOfRound = Number(flags.steps);
const stepsPerRun = Number(flags['steps-per-run']);
const forms = ['compile', 'eager', 'sdpa'];

/** Our step as a rival: takes steps and says the processor time of each and the last terms. */
function ourRival(name, batch, without) {
  const { step, states } = makeStep(name, {
    without,
    provider: flags.device,
    stepsPerRun,
    ...(flags['device-megabytes'] && { deviceMegabytes: Number(flags['device-megabytes']) }),
  });
  let number = 0;
  const take = async (steps) => {
    const ms = [];
    let report;
    for (let i = 0; i < steps; i += stepsPerRun) {
      const run = Array(Math.min(stepsPerRun, steps - i)).fill(batch);
      const start = process.cpuUsage();
      report = (await step.takeRun(run, number + 1)).at(-1);
      const { user, system } = process.cpuUsage(start);
      number += run.length;
      ms.push((user + system) / 1000 / run.length);
    }
    return { ms, ...report };
  };
  return { take, states };
}

/** Steps whose terms are compared, and by how much they may differ: rounding grows from step to step. */
const compared = [1e-5, 1e-4, 1e-3];

async function checkSame(name, rivals) {
  for (const tolerance of compared) {
    const [first, ...others] = await Promise.all(
      Object.entries(rivals).map(async ([rival, take]) => ({ rival, ...(await take(1)) })),
    );
    for (const { rival, loss, terms } of others) {
      const values = { ...terms, loss };
      for (const [term, value] of Object.entries({ ...first.terms, loss: first.loss })) {
        const error = Math.abs(values[term] - value) / Math.max(1e-3, Math.abs(value));
        if (!(error <= tolerance))
          throw new Error(`${name}: ${term} is ${value} in ${first.rival}, ${values[term]} in ${rival}`);
      }
    }
  }
}

async function measure(name, rivals) {
  const times = Object.fromEntries(Object.keys(rivals).map((rival) => [rival, []]));
  for (const take of Object.values(rivals)) await take(stepsOfRound);
  for (let round = 0; round < rounds; round++) {
    for (const [rival, take] of Object.entries(rivals))
      times[rival].push(median((await take(stepsOfRound)).ms));
  }
  return times;
}

const folder = mkdtempSync(join(tmpdir(), 'cascade-bench-'));
const torch = python && (await startTorch(python));
const result = { rounds, steps: stepsOfRound, ...(torch && { torch: torch.version }) };
try {
  for (const name of names) {
    const batch = makeBatch();
    const ours = ourRival(name, batch, list(flags.without));
    const rivals = { ours: ours.take };
    if (flags.before) rivals.before = ourRival(name, batch, list(flags.before)).take;
    if (torch) {
      const file = join(folder, `${name}.safetensors`);
      await writeSafetensors(file, { tensors: storedStep(batch, ours.states), metadata: {} });
      await torch.ask({ model: name, file });
      for (const form of forms) rivals[form] = (steps) => torch.ask({ model: name, form, steps });
    }
    await checkSame(name, rivals);
    const times = await measure(name, rivals);
    const medians = Object.fromEntries(Object.entries(times).map(([rival, ms]) => [rival, median(ms)]));
    // Paired within a round: a noisy neighbour slows both sides of it.
    const speed = (rival) => median(times[rival].map((ms, round) => ms / times.ours[round]));
    result[name] = {
      ...Object.fromEntries((torch ? forms : []).map((form) => [`speed_vs_torch_${form}`, speed(form)])),
      ...(flags.before && { speed_vs_before: speed('before') }),
      median_ms: medians,
      bytes_moved: (await ours.take(stepsPerRun)).bytesMoved,
    };
    if (!flags.json) {
      const cells = Object.entries(medians).map(([rival, ms]) =>
        rival === 'ours'
          ? `ours ${ms.toFixed(2)} ms`
          : `${rival} ${ms.toFixed(2)} ms (we are ${speed(rival).toFixed(2)}x as fast)`,
      );
      const moves = flags.device === 'cpu' ? 'would cross to a GPU' : 'cross to the device and back';
      cells.push(`${Math.round(result[name].bytes_moved / 1000)} kB a step ${moves}`);
      console.log(`${name.padEnd(10)} ${cells.join(', ')}`);
    }
  }
  if (flags.json) console.log(JSON.stringify(result));
} finally {
  torch?.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
