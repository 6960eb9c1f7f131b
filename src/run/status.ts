/** How a run stands, read from its folder without changing anything in it. */
import { CascadeError } from '../errors.js';
import { dependenciesOf, whatChanged, type RunFolder } from './changes.js';
import { wasCutOff } from './graph.js';
import { readManifest, type Manifest, type StageName } from './manifest.js';
import type { StageDefinition } from './stage.js';

export interface StageStatus {
  readonly stage: StageName;
  readonly state: 'done' | 'out of date' | 'cut off' | 'never run' | 'damaged';
  /** Why it is out of date or damaged. */
  readonly why: string | null;
  readonly bytes: number | null;
  readonly rows: number | null;
  readonly startedAt: string | null;
  readonly seconds: number | null;
}

/** One status a stage, in order. A stage is out of date too when one that it reads is. */
export async function statusOf(run: RunFolder): Promise<StageStatus[]> {
  const statuses: StageStatus[] = [];
  for (const definition of run.stages) {
    const above = statuses.find(
      ({ stage, state }) => state !== 'done' && definition.reads(run.config).includes(stage),
    );
    statuses.push(await stageStatus(run, definition, above));
  }
  return statuses;
}

async function stageStatus(
  run: RunFolder,
  definition: StageDefinition,
  above: StageStatus | undefined,
): Promise<StageStatus> {
  const stage = definition.name;
  const empty = { stage, why: null, bytes: null, rows: null, startedAt: null, seconds: null };
  let manifest: Manifest | null;
  try {
    manifest = await readManifest(run.folder, stage);
  } catch (error) {
    return { ...empty, state: 'damaged', why: whatOf(error) };
  }
  if (!manifest) return { ...empty, state: (await wasCutOff(run.folder, stage)) ? 'cut off' : 'never run' };

  const why = above
    ? `reads ${above.stage}, which is ${above.state === 'never run' ? 'missing' : above.state}`
    : await reasonToRun(run, definition, manifest);
  return {
    stage,
    state: why === null ? 'done' : 'out of date',
    why,
    bytes: manifest.outputs.reduce((sum, file) => sum + file.bytes, 0),
    rows: manifest.outputs.reduce((sum, file) => sum + (file.rows ?? 0), 0),
    startedAt: manifest.started_at,
    seconds: manifest.duration_seconds,
  };
}

async function reasonToRun(
  run: RunFolder,
  definition: StageDefinition,
  manifest: Manifest,
): Promise<string | null> {
  try {
    return await whatChanged(run, definition, await dependenciesOf(run, definition), manifest);
  } catch (error) {
    return whatOf(error); // raw files that are not on this machine, a damaged manifest further up
  }
}

function whatOf(error: unknown): string {
  if (error instanceof CascadeError) return error.problems.map(({ what }) => what).join(' ');
  throw error;
}
