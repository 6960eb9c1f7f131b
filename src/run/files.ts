/**
 * Files that appear whole or not at all (Law 3): written under a temporary name, flushed to the disk, renamed, and the folder
 * flushed too. A process that is killed leaves at most a temporary file, which the next one sweeps.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CascadeError } from '../errors.js';

const temporaryMark = '.tmp-';

/** Lets `write` make the file under a temporary name, then puts it in place. Nothing is left behind when `write` fails. */
export async function writeWhole(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}${temporaryMark}${process.pid}`;
  try {
    await makeFolder(dirname(path));
    await write(temporary);
    await flush(temporary);
    await rename(temporary, path);
    await flush(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined); // the first error is the one worth telling
    throw diskProblem(path, cause);
  }
}

export async function writeText(path: string, text: string): Promise<void> {
  await writeWhole(path, async (temporary) => {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  });
}

/**
 * Makes a folder and those above it, one by one: Node's recursive mkdir calls a read-only disk «no such file» and never returns under
 * /proc.
 */
export async function makeFolder(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  try {
    for (const folder of missing) {
      await mkdir(folder).catch((error: unknown) => {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') throw Object.assign(error as Error, { code: 'EROFS' }); // the one above is there, and takes none
        if (code !== 'EEXIST') throw error; // another process was faster
      });
    }
    if (!(await stat(path)).isDirectory())
      throw Object.assign(new Error(`${path} is a file`), { code: 'ENOTDIR' });
  } catch (cause) {
    throw diskProblem(path, cause);
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes what a killed process left half written. Only under the run's lock: another's temporary files look the same. */
export async function sweepTemporaries(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (entry.isFile() && entry.name.includes(temporaryMark)) {
      await rm(join(entry.parentPath, entry.name), { force: true });
    }
  }
}

/** The errors of disks and folders, as problems that a user can mend; any other error as it is. */
export function diskProblem(path: string, cause: unknown): unknown {
  if (cause instanceof CascadeError) return cause;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new CascadeError(
      {
        code: 'disk.full',
        where: path,
        what: 'The disk is full; nothing was left half written.',
        mend: 'Free some space, then run the same command again: it goes on from the last checkpoint.',
      },
      { cause },
    );
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new CascadeError(
      {
        code: 'disk.read_only',
        where: path,
        what: 'This place cannot be written to.',
        mend: 'Give another run folder with --run, or mend its permissions.',
      },
      { cause },
    );
  }
  if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'EISDIR') {
    return new CascadeError(
      {
        code: 'disk.not_a_folder',
        where: path,
        what: 'A file stands where a folder is needed, or a folder where a file is.',
        mend: 'Move it away, or give another run folder with --run.',
      },
      { cause },
    );
  }
  return cause;
}

/** Buffers that files are read to while they are hashed, and that no file needs now: as many as were read at the same time. */
const idleBuffers: Buffer[] = [];
const hashedAtATime = 2 ** 16; // bytes

/** A stream of the file would make a buffer for every 64 kB, and the garbage collector sees no need to hurry before there are many. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  const buffer = idleBuffers.pop() ?? Buffer.allocUnsafeSlow(hashedAtATime);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    idleBuffers.push(buffer);
    await file.close();
  }
}

export const sha256Text = (text: string) => createHash('sha256').update(text).digest('hex');

/** What tells without reading a file that it is probably the one that was hashed. */
export interface Trace {
  readonly bytes: number;
  readonly mtime_ms: number;
  readonly inode: number;
}

/** The trace of a file, or null when there is none. */
export async function traceOf(path: string): Promise<Trace | null> {
  const stats = await stat(path).catch(() => null);
  return stats?.isFile() ? { bytes: stats.size, mtime_ms: stats.mtimeMs, inode: stats.ino } : null;
}

export const sameTrace = (a: Trace, b: Trace) =>
  a.bytes === b.bytes && a.mtime_ms === b.mtime_ms && a.inode === b.inode;
