/** The built program, run as a user runs it: in a process of its own. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export const newFolder = (name = 'chain') => mkdtempSync(join(tmpdir(), `cascade-${name}-`));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `cascade` to its end, or sends it a signal after some time: kills it as a power cut would, unless told otherwise. */
export async function program(
  args: readonly string[],
  killAfterMs?: number,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<Ended> {
  const child = spawn(process.execPath, [join(root, 'bin/cascade.js'), ...args], { cwd: root });
  const printed = { out: '', err: '' };
  child.stdout.on('data', (text: Buffer) => (printed.out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (printed.err += text.toString()));
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill(signal), killAfterMs);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  return { code, ...printed };
}

/** The quickstart made small: a whole chain in some ten seconds. */
export const smallChain = [
  ...['--config', join(root, 'configs/quickstart.yaml')],
  ...sets({
    'logs.users': 150,
    'logs.items': 200,
    'logs.groups': 16,
    'logs.categories': 4,
    'logs.days': 6,
    'teacher.epochs': 1,
    'teacher.b_epochs': 0.5,
    'distill.epochs': 1,
    'codebook.codes': 16,
    'codebook.steps': 40,
    'eval.bootstrap': 50,
    'training.rows_per_step': 256,
    'training.b_rows_per_step': 192,
    'training.checkpoint_every_seconds': 0.2,
  }),
];

export function sets(values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
}

/** SHA-256 of the files of a run that must have the same bytes for the same config, data and seed, by path. */
export function bytesOf(run: string): Record<string, string> {
  const files = filesOf(run).filter((file) => /\.(parquet|safetensors|arrow)$/.test(file));
  return Object.fromEntries(
    files.map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(join(run, file)))
        .digest('hex'),
    ]),
  );
}

export const filesOf = (run: string): string[] =>
  readdirSync(run, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(run, join(entry.parentPath, entry.name)))
    .toSorted();
