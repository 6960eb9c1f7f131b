/** Opening a run folder to write in it: made if need be, locked, and described by the config that is about to be used. */
import { mkdir, readFile } from 'node:fs/promises';
import { diskProblem, sha256Text, writeText } from './files.js';
import { lockRun } from './lock.js';
import type { Progress } from './progress.js';
import { configPath, recordedConfig, writeIndex } from './runIndex.js';

/** Takes the lock and writes config.yaml; the returned function gives the lock back. */
export async function openRunFolder(
  folder: string,
  configText: string,
  progress: Progress,
): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw diskProblem(folder, cause);
  });
  const release = await lockRun(folder);
  try {
    const present = await readFile(configPath(folder), 'utf8').catch(() => null);
    const recorded = await recordedConfig(folder);
    if (present !== null && present !== configText && recorded !== null && sha256Text(present) !== recorded) {
      progress.note(
        `${configPath(folder)} was edited since the last command; it is written anew from the config given now.`,
      );
    }
    if (present !== configText) {
      await writeText(configPath(folder), configText);
      await writeIndex(folder);
    }
    return release;
  } catch (error) {
    await release();
    throw error;
  }
}
