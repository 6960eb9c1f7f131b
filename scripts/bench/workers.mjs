/**
 * What a second worker brings (`training.workers`), and what a second thread brings instead: the same step over 32 requests by one
 * worker with one thread, by one with two threads, and by two with one thread each, which take 16 requests each. Beside these, what two
 * workers could do at best: a step over 16 requests by one worker, and by two processes side by side that do not talk, which is what
 * two processors do where they share caches and memory. Every way runs in processes of its own, one way after the other, round by round;
 * a process tells the median of its steps' wall times. Printed is how fast requests pass, relative to the first way.
 */
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { jobEnvironment, joinWorkers, requireMpi } from '../../dist/engine/workers/mpi.js';
import { oneWorker } from '../../dist/engine/workers/workers.js';
import { makeBatch, makeStep, stepNames } from './pipelineSteps.mjs';

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string', default: stepNames.join() },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '20' },
    measure: { type: 'string' }, // what a process of a way is given: model, workers, threads, requests
  },
});
/** `requests` of a step of all its workers; several `processes` train apart from each other. */
const ways = {
  'one worker, one thread': { workers: 1, threads: 1, requests: 32 },
  'one worker, two threads': { workers: 1, threads: 2, requests: 32 },
  'two workers, one thread each': { workers: 2, threads: 1, requests: 32 },
  'one worker, half the requests': { workers: 1, threads: 1, requests: 16 },
  'two of these side by side': { workers: 1, threads: 1, requests: 16, processes: 2 },
};

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** One of a way's processes; the first of several workers prints the median milliseconds of a step. */
async function measure(model, count, threads, requests) {
  const workers = count > 1 ? await joinWorkers(requireMpi(), count) : oneWorker;
  const batch = makeBatch(requests / count);
  const { step } = makeStep(model, { threads, workers });
  const times = [];
  const warmUp = 3;
  for (let number = 1; number <= warmUp + Number(flags.steps); number++) {
    const start = performance.now();
    await step.take(batch, number);
    if (number > warmUp) times.push(performance.now() - start);
  }
  if (workers.rank === 0) console.log(median(times));
  workers.leave?.();
}

function runWay(model, { workers, threads, requests, processes = 1 }) {
  const self = [process.execPath, fileURLToPath(import.meta.url)];
  const asked = ['--steps', flags.steps, '--measure', [model, workers, threads, requests].join()];
  const args = ['-n', String(workers * processes), ...self, ...asked];
  const printed = execFileSync(requireMpi().launcher, args, { env: jobEnvironment() }).toString();
  return median(printed.trim().split('\n').map(Number));
}

if (flags.measure) {
  const [model, ...sizes] = flags.measure.split(',');
  await measure(model, ...sizes.map(Number));
} else {
  for (const model of flags.models.split(',')) {
    const times = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const [way, sizes] of Object.entries(ways)) times[way].push(runWay(model, sizes));
    }
    const [alone] = Object.values(times);
    console.log(`${model}, load ${loadavg()[0].toFixed(1)}`);
    for (const [way, ms] of Object.entries(times)) {
      const { requests, processes = 1 } = ways[way];
      const share = (requests * processes) / 32;
      const speed = share * median(ms.map((time, round) => alone[round] / time)); // paired: a noisy neighbour slows the ways of a round alike
      console.log(`  ${way.padEnd(29)} ${median(ms).toFixed(1).padStart(7)} ms a step, ${speed.toFixed(2)}x`);
    }
  }
}
