/**
 * Checkpoints of a training: everything needed to go on as if it had never stopped. Two files, the numbers and then a small record
 * with their hash; the record is written last and carries its own, so that a half written or damaged checkpoint is never used.
 */
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readSafetensors, writeSafetensors, type StoredTensor } from '../engine/safetensors.js';
import { makeFolder, sha256, sha256Text, writeText, writeWhole } from '../run/files.js';
import type { Progress } from '../run/progress.js';

export interface Checkpoint<State> {
  /** Position, history and the like: plain JSON. */
  readonly state: State;
  readonly tensors: Readonly<Record<string, StoredTensor>>;
}

interface CheckpointRecord {
  readonly file: string;
  readonly sha256: string;
  readonly state: unknown;
}

const recordName = 'checkpoint.json';

/** Writes a checkpoint into `folder` and removes the one before. */
export async function writeCheckpoint<State>(
  folder: string,
  { state, tensors }: Checkpoint<State>,
): Promise<void> {
  await makeFolder(folder);
  const before = await readdir(folder);
  const number = 1 + Math.max(0, ...before.map((name) => Number(/^weights-(\d+)\./.exec(name)?.[1] ?? 0)));
  const file = `weights-${number}.safetensors`;
  await writeWhole(join(folder, file), (temporary) => writeSafetensors(temporary, { tensors, metadata: {} }));
  const record: CheckpointRecord = { file, sha256: await sha256(join(folder, file)), state };
  const text = JSON.stringify(record);
  await writeText(join(folder, recordName), `${sha256Text(text)}\n${text}\n`);
  for (const name of before) if (name.startsWith('weights-')) await rm(join(folder, name), { force: true });
}

/** The checkpoint in `folder`, or null when there is none that can be used; a damaged one is said so. */
export async function readCheckpoint<State>(
  folder: string,
  progress: Progress,
): Promise<Checkpoint<State> | null> {
  const text = await readFile(join(folder, recordName), 'utf8').catch(() => null);
  if (text === null) return null;
  const [checksum, body = ''] = text.split('\n');
  if (sha256Text(body) === checksum) {
    const record = JSON.parse(body) as CheckpointRecord;
    const path = join(folder, record.file);
    const hash = await sha256(path).catch(() => null);
    if (hash === record.sha256) {
      const { tensors } = await readSafetensors(path);
      return { state: record.state as State, tensors };
    }
  }
  progress.note(
    `the checkpoint in ${folder} was changed or damaged after it was written: this model starts anew`,
  );
  return null;
}
