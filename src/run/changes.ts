/** What a stage's outputs depend on, and what of it has changed since they were written. */
import { join } from 'node:path';
import { snakeKeys, type Config } from '../config/config.js';
import { CascadeError } from '../errors.js';
import { outputsDigest, readManifest, type FileRecord, type Manifest, type StageName } from './manifest.js';
import { stillSame, type SourceFile, type StageDefinition } from './stage.js';

/** A run folder, the settings to work with, and the stages in their order. */
export interface RunFolder {
  readonly folder: string;
  readonly config: Config;
  readonly stages: readonly StageDefinition[];
}

/** Everything a stage's outputs depend on, beside the seed. */
export interface Dependencies {
  /** As manifests and messages spell them. */
  readonly settings: unknown;
  readonly builtFrom: Readonly<Partial<Record<StageName, string>>>;
  readonly sources: readonly SourceFile[];
}

export async function dependenciesOf(run: RunFolder, definition: StageDefinition): Promise<Dependencies> {
  const upstream = await upstreamOf(run, definition);
  return {
    settings: snakeKeys(definition.settings(run.config)),
    builtFrom: Object.fromEntries([...upstream].map(([stage, manifest]) => [stage, outputsDigest(manifest)])),
    sources: (await definition.sources?.(run.config)) ?? [],
  };
}

/** Manifests of the stages that this one reads. Throws when one is missing. */
export async function upstreamOf(
  { folder, config }: RunFolder,
  definition: StageDefinition,
): Promise<Map<StageName, Manifest>> {
  const upstream = new Map<StageName, Manifest>();
  for (const stage of definition.reads(config)) {
    const manifest = await readManifest(folder, stage);
    if (!manifest) {
      throw new CascadeError({
        code: 'run.missing_stage',
        where: join(folder, stage),
        what: `Stage \`${definition.name}\` reads what stage \`${stage}\` writes, and that is not in this run folder.`,
        mend: `Run \`cascade ${stage}\` with the same --config first, or \`cascade train\`, which runs all stages.`,
      });
    }
    upstream.set(stage, manifest);
  }
  return upstream;
}

/**
 * Refuses to build on stages that were made with other settings than the present ones, directly or further up. Raw files are not
 * looked at: a stage may run on a machine that does not have them (Law 1).
 */
export async function refuseStale(run: RunFolder, definition: StageDefinition): Promise<void> {
  for (const upper of stagesAbove(run, definition)) {
    const manifest = await readManifest(run.folder, upper.name);
    if (!manifest) continue; // not read directly, or refused as missing
    const change = settingsChange(run, upper, manifest) ?? (await upstreamChange(run, manifest));
    if (!change) continue;
    throw new CascadeError({
      code: 'run.stale_stage',
      where: join(run.folder, upper.name),
      what: `Stage \`${definition.name}\` builds on stage \`${upper.name}\`, which no longer holds: ${change}.`,
      mend: `Run \`cascade ${upper.name}\` with the same --config first, or \`cascade train\`, which runs what must run; or give another folder with --run.`,
    });
  }
}

/** All stages that this one builds on, first to last. */
function stagesAbove(run: RunFolder, definition: StageDefinition): readonly StageDefinition[] {
  const above = new Set<StageName>(definition.reads(run.config));
  for (const stage of run.stages.toReversed()) {
    if (above.has(stage.name)) for (const upper of stage.reads(run.config)) above.add(upper);
  }
  return run.stages.filter(({ name }) => above.has(name));
}

/** The first reason why a finished stage no longer holds, or null. */
export async function whatChanged(
  run: RunFolder,
  definition: StageDefinition,
  now: Dependencies,
  then: Manifest,
): Promise<string | null> {
  const change = settingsChange(run, definition, then) ?? (await upstreamChange(run, then));
  if (change) return change;
  const source = await sourceChange(definition.reads(run.config), now, then);
  if (source) return source;
  for (const file of then.outputs) {
    if (!(await stillSame(file, join(run.folder, file.path))))
      return `${file.path} was changed or removed on disk`;
  }
  return null;
}

/** A raw file that came, changed or went. */
async function sourceChange(
  reads: readonly StageName[],
  now: Dependencies,
  then: Manifest,
): Promise<string | null> {
  const isRaw = ({ path }: FileRecord) => !reads.some((stage) => path.startsWith(`${stage}/`));
  const recorded = new Map(then.inputs.filter(isRaw).map((file) => [file.path, file]));
  for (const { name, path } of now.sources) {
    const record = recorded.get(name);
    if (!record) return `${name} is new`;
    if (!(await stillSame(record, path))) return `${name} changed`;
    recorded.delete(name);
  }
  const [gone] = recorded.keys();
  return gone === undefined ? null : `${gone} is gone`;
}

function settingsChange(run: RunFolder, definition: StageDefinition, then: Manifest): string | null {
  if (then.stage_version !== definition.version) return 'this version of cascade writes it differently';
  if (then.seed !== run.config.seed) return `seed changed from ${then.seed} to ${run.config.seed}`;
  const setting = firstDifference(then.settings, snakeKeys(definition.settings(run.config)));
  return setting && `setting ${setting}`;
}

/** Whether the stages it was built from have written other files since. */
async function upstreamChange(run: RunFolder, then: Manifest): Promise<string | null> {
  for (const [stage, digest] of Object.entries(then.built_from)) {
    const manifest = await readManifest(run.folder, stage as StageName); // the manifest's keys are stages
    if (manifest && outputsDigest(manifest) !== digest) return `stage \`${stage}\` wrote other files since`;
  }
  return null;
}

/** Where two trees of settings first differ, in words; null when they are equal. */
function firstDifference(then: unknown, now: unknown, path = ''): string | null {
  if (isTree(then) && isTree(now)) {
    for (const key of new Set([...Object.keys(then), ...Object.keys(now)])) {
      const difference = firstDifference(then[key], now[key], path ? `${path}.${key}` : key);
      if (difference) return difference;
    }
    return null;
  }
  const [before, after] = [words(then), words(now)];
  return before === after ? null : `${path} changed from ${before} to ${after}`;
}

const words = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));

const isTree = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
