/** What a command that writes does around its work: open the run folder, and leave it in order however the work ends. */
import type { LoadedConfig } from '../config/load.js';
import { resolvedText } from '../config/resolved.js';
import type { WorkerProcess } from '../engine/workers/mpi.js';
import { keepLittleMemory } from '../memory.js';
import { openRunFolder } from '../run/folder.js';
import type { Run } from '../run/graph.js';
import { openProgress } from '../run/progress.js';
import { stages } from '../stages/index.js';

const signals = { SIGINT: 2, SIGTERM: 15 } as const;

export async function inRunFolder<T>(
  loaded: LoadedConfig,
  work: (run: Run) => Promise<T>,
  workers?: WorkerProcess,
): Promise<T> {
  const { config } = loaded;
  await keepLittleMemory();
  const progress = openProgress();
  const release = await openRunFolder(config.run, resolvedText(loaded), progress);
  const forget = onSignal(release);
  try {
    return await work({ folder: config.run, config, stages, progress, ...(workers && { workers }) });
  } finally {
    forget();
    await release();
  }
}

/** On a signal gives the lock back and ends with the signal's exit code; a second signal ends at once. */
function onSignal(release: () => Promise<void>): () => void {
  const stop = (signal: NodeJS.Signals) => {
    const showCursor = process.stderr.isTTY ? '\x1b[?25h' : '';
    process.stderr.write(`${showCursor}\nStopped by ${signal}. The same command goes on from here.\n`);
    const end = () => process.exit(128 + signals[signal as keyof typeof signals]); // only these are listened to
    release().then(end, end);
  };
  for (const signal of Object.keys(signals)) process.once(signal, stop);
  return () => {
    for (const signal of Object.keys(signals)) process.removeListener(signal, stop);
  };
}
