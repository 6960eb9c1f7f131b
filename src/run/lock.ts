/**
 * One writer per run folder. The lock is proper-lockfile's; beside it stands who holds it, so that the lock of a process that was
 * killed on this machine is taken over at once instead of after a time-out.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import lockfile from 'proper-lockfile';
import { CascadeError } from '../errors.js';
import { diskProblem } from './files.js';

/** A lock that was not refreshed for so long is free for others, whoever holds it. */
const usualStaleMs = 120_000;

/** Takes the run's lock; the returned function gives it back. */
export async function lockRun(folder: string, staleMs = usualStaleMs): Promise<() => Promise<void>> {
  const lockFolder = join(folder, '.lock');
  const holderFile = join(folder, '.lock-holder');
  const self = `${process.pid} ${hostname()}`;
  const readHolder = () => readFile(holderFile, 'utf8').catch(() => null);
  let release: () => Promise<void>;

  const take = async () => {
    release = await lockfile.lock(folder, {
      lockfilePath: lockFolder,
      stale: staleMs,
      realpath: false,
      onCompromised: (cause) => void retake(cause),
    });
  };
  /** A machine that slept could not refresh the lock: it is still ours unless somebody has taken it since. */
  const retake = async (cause: Error) => {
    if ((await readHolder()) === self) await take();
    else throw new Error(`the lock of ${folder} was taken by another process meanwhile`, { cause });
  };

  const holder = await readHolder();
  if (holder && isDead(holder)) await rm(lockFolder, { recursive: true, force: true });
  try {
    await take();
    await writeFile(holderFile, self);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ELOCKED') throw diskProblem(folder, cause);
    const [pid, host] = (holder ?? 'unknown unknown').split(' ');
    throw new CascadeError(
      {
        code: 'run.locked',
        where: folder,
        what: `Another cascade (process ${pid} on ${host}) is working in this run folder.`,
        mend: 'Wait until it is done, or give another folder with --run.',
      },
      { cause },
    );
  }
  return async () => {
    await rm(holderFile, { force: true });
    await release();
  };
}

/** Whether the holder was a process of this machine that is gone. */
function isDead(holder: string): boolean {
  const [pid, host] = holder.split(' ');
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
