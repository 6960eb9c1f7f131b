/** Opening a run folder to write in it: made if need be, locked, and described by the config that is about to be used. */
import { join } from 'node:path';
import { makeFolder, sha256Text, writeText } from './files.js';
import { lockRun } from './lock.js';
import type { Progress } from './progress.js';
import { configDigest, configPath, indexHolds, recordedConfig, writeIndex } from './runIndex.js';

/** Takes the lock and writes config.yaml; the returned function gives the lock back. */
export async function openRunFolder(
  folder: string,
  configText: string,
  progress: Progress,
): Promise<() => Promise<void>> {
  await makeFolder(folder);
  const release = await lockRun(folder);
  try {
    const present = await configDigest(folder);
    const recorded = await recordedConfig(folder);
    const wanted = sha256Text(configText);
    if (present !== null && recorded !== null && present !== recorded && present !== wanted) {
      progress.note(
        `${configPath(folder)} was edited since the last command; it is written anew from the config given now.`,
      );
    }
    const indexIsRight = await indexHolds(folder, recorded);
    if (indexIsRight === false) {
      progress.note(
        `${join(folder, 'run.json')} is not what the stages' manifests say (edited, damaged, or a command was cut off); it is written anew.`,
      );
    }
    if (present !== wanted) await writeText(configPath(folder), configText);
    if (present !== wanted || indexIsRight !== true) await writeIndex(folder);
    return release;
  } catch (error) {
    await release();
    throw error;
  }
}
