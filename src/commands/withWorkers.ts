/**
 * Several workers (`training.workers`): the command starts itself once more for each, as an MPI job, and becomes the one that waits.
 * The first of them does what the command does; the others help with the stages that train.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { LoadedConfig } from '../config/load.js';
import {
  jobEnvironment,
  joinWorkers,
  requireMpi,
  type Mpi,
  type WorkerProcess,
} from '../engine/workers/mpi.js';
import { help, noMoreStages } from '../run/graph.js';
import { stages } from '../stages/index.js';

/** Tells a process that it is one of the workers. */
const mark = 'CASCADE_WORKER';

/** Does `work` as the first of the config's workers, or alone; null where this process is another, or only started them. */
export async function withWorkers<T>(
  { config }: LoadedConfig,
  work: (workers?: WorkerProcess) => Promise<T>,
): Promise<T | null> {
  const count = config.training.workers;
  if (count === 1) return work();
  const mpi = requireMpi();
  if (process.env[mark] === undefined) process.exit(await launch(mpi, count));
  const workers = await joinWorkers(mpi, count);
  if (workers.rank > 0) {
    await help({ folder: config.run, config, stages }, workers);
    workers.leave();
    return null;
  }
  obeyCommand();
  const result = await work(workers);
  workers.say(noMoreStages);
  workers.leave();
  return result;
}

/** Runs this command as a job of so many workers; returns its exit code, which is that of the worker that failed, if one did. */
async function launch({ launcher }: Mpi, count: number): Promise<number> {
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const job = spawn(launcher, ['-n', String(count), ...command], {
    env: { ...jobEnvironment(), [mark]: 'yes' },
    stdio: ['pipe', 'inherit', 'inherit'], // see obeyCommand
    detached: true, // a signal from the terminal reaches the first worker alone, by us
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => job.stdin.write(`${signal}\n`));
  job.stdin.on('error', () => undefined); // it has ended already
  return new Promise((resolve, reject) => {
    job.on('error', reject);
    job.on('close', (code, signal) => {
      resolve(code ?? 128 + constants.signals[signal!]);
    });
  });
}

/**
 * The launcher hands what the command writes to the first worker: the signals that the command gets, so that the run folder is left in
 * order. It ends when the command is killed, and so do all workers.
 */
function obeyCommand(): void {
  process.stdin.on('end', () => process.exit(1));
  process.stdin.on('data', (signals: Buffer) => {
    for (const signal of signals.toString().trim().split('\n')) process.kill(process.pid, signal);
  });
  process.stdin.unref();
}
