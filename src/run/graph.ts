/**
 * Runs stages in order, skipping those whose outputs still hold, and says why each one runs or not. A stage that was cut off goes
 * on from its checkpoint when nothing that it depends on has changed; otherwise it starts from an empty folder.
 */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { CascadeError, internal } from '../errors.js';
import { diskProblem, sha256Text, sweepTemporaries, writeText } from './files.js';
import {
  outputsDigest,
  readManifest,
  runFormat,
  stageNames,
  writeManifest,
  type Manifest,
  type StageName,
} from './manifest.js';
import type { Progress } from './progress.js';
import {
  recordSource,
  Stage,
  stillSame,
  type SourceFile,
  type StageDefinition,
  type StageResult,
} from './stage.js';

export interface Decision {
  readonly stage: StageName;
  readonly run: boolean;
  /** Why it runs, or why it need not. */
  readonly reason: string;
}

export interface Outcome extends Decision {
  readonly result: StageResult;
  /** Seconds the stage took, now or when it last ran. */
  readonly seconds: number;
}

/** Everything a stage's outputs depend on. */
interface Dependencies {
  readonly settings: unknown;
  readonly builtFrom: Readonly<Partial<Record<StageName, string>>>;
  readonly sources: readonly SourceFile[];
}

/** Decides about one stage without running it. Throws when a stage that it reads is missing. */
export async function decide(
  run: { folder: string; config: Config },
  definition: StageDefinition,
  forced: boolean,
): Promise<Decision> {
  const { name } = definition;
  const manifest = await readManifest(run.folder, name).catch((error: unknown) => {
    if (forced) return null;
    throw error;
  });
  const say = (reason: string, yes = true): Decision => ({ stage: name, run: yes, reason });
  if (forced) return say('asked for');
  const dependencies = await dependenciesOf(run, definition);
  if (!manifest) {
    const started = await readStarted(run.folder, name);
    if (started === null) return say('not run before');
    const goesOn = started === (await keyOf(run.config, definition, dependencies));
    return say(
      goesOn
        ? 'was cut off; goes on from its last checkpoint'
        : 'was cut off, and its inputs have changed since',
    );
  }
  const changed = await whatChanged(run, definition, dependencies, manifest);
  return changed === null ? say('nothing changed', false) : say(changed);
}

/** Runs one stage if it must, or returns what it printed when it last ran. The run's lock must be held. */
export async function runStage(
  run: { folder: string; config: Config; progress: Progress },
  definition: StageDefinition,
  forced: boolean,
): Promise<Outcome> {
  const { name } = definition;
  const decision = await decide(run, definition, forced);
  if (!decision.run) {
    const manifest = (await readManifest(run.folder, name)) ?? internal(`no manifest of ${name}`);
    return { ...decision, result: manifest.result as StageResult, seconds: manifest.duration_seconds };
  }
  run.progress.note(`${name}: ${decision.reason}`);
  const startedAt = new Date();
  const dependencies = await dependenciesOf(run, definition);
  const upstream = await upstreamOf(run.folder, definition);
  const stage = new Stage(name, run.folder, run.config, run.progress, upstream, dependencies.sources);
  await prepareFolder(stage, await keyOf(run.config, definition, dependencies), forced);

  const result = await definition.work(stage, run.config);

  const seconds = (Date.now() - startedAt.getTime()) / 1000;
  await writeManifest(run.folder, {
    format: runFormat,
    stage: name,
    stage_version: definition.version,
    seed: run.config.seed,
    settings: dependencies.settings,
    built_from: dependencies.builtFrom,
    inputs: stage.inputs,
    outputs: stage.outputs,
    result,
    versions: versions(),
    started_at: startedAt.toISOString(),
    duration_seconds: seconds,
  });
  await rm(stage.checkpointFolder, { recursive: true, force: true });
  await rm(startedPath(run.folder, name), { force: true });
  await writeIndex(run.folder);
  return { ...decision, result, seconds };
}

// ------------------------------------------------------------------------------------------------------------ what changed

async function dependenciesOf(
  run: { folder: string; config: Config },
  definition: StageDefinition,
): Promise<Dependencies> {
  const upstream = await upstreamOf(run.folder, definition);
  return {
    settings: definition.settings(run.config),
    builtFrom: Object.fromEntries([...upstream].map(([stage, manifest]) => [stage, outputsDigest(manifest)])),
    sources: (await definition.sources?.(run.config)) ?? [],
  };
}

async function upstreamOf(runFolder: string, definition: StageDefinition): Promise<Map<StageName, Manifest>> {
  const upstream = new Map<StageName, Manifest>();
  for (const stage of definition.reads) {
    const manifest = await readManifest(runFolder, stage);
    if (!manifest) {
      throw new CascadeError({
        code: 'run.missing_stage',
        where: join(runFolder, stage),
        what: `Stage \`${definition.name}\` reads what stage \`${stage}\` writes, and that is not in this run folder.`,
        mend: `Run \`cascade ${stage}\` with the same --config first, or \`cascade train\`, which runs all stages.`,
      });
    }
    upstream.set(stage, manifest);
  }
  return upstream;
}

/** The first reason why a finished stage no longer holds, or null. */
async function whatChanged(
  run: { folder: string; config: Config },
  definition: StageDefinition,
  now: Dependencies,
  then: Manifest,
): Promise<string | null> {
  if (then.stage_version !== definition.version) return 'this version of cascade writes it differently';
  if (then.seed !== run.config.seed) return `seed changed from ${then.seed} to ${run.config.seed}`;
  const setting = firstDifference(then.settings, now.settings);
  if (setting) return `setting ${setting}`;
  for (const stage of definition.reads) {
    if (then.built_from[stage] !== now.builtFrom[stage]) return `${stage} wrote other files since`;
  }
  const recorded = new Map(then.inputs.map((file) => [file.path, file]));
  for (const source of now.sources) {
    const record = recorded.get(source.name);
    if (!record || !(await stillSame(record, source.path))) return `${source.name} changed`;
  }
  for (const file of then.outputs) {
    if (!(await stillSame(file, join(run.folder, file.path))))
      return `${file.path} was changed or removed on disk`;
  }
  return null;
}

/** Where two trees of settings first differ, in words; null when they are equal. */
export function firstDifference(then: unknown, now: unknown, path = ''): string | null {
  if (isTree(then) && isTree(now)) {
    for (const key of new Set([...Object.keys(then), ...Object.keys(now)])) {
      const difference = firstDifference(then[key], now[key], path ? `${path}.${key}` : key);
      if (difference) return difference;
    }
    return null;
  }
  if (JSON.stringify(then) === JSON.stringify(now)) return null;
  return `${path} changed from ${JSON.stringify(then) ?? 'nothing'} to ${JSON.stringify(now) ?? 'nothing'}`;
}

const isTree = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

// ------------------------------------------------------------------------------------------------------------- cut off

const startedPath = (runFolder: string, stage: StageName) => join(runFolder, stage, 'started.txt');

async function readStarted(runFolder: string, stage: StageName): Promise<string | null> {
  return readFile(startedPath(runFolder, stage), 'utf8').catch(() => null);
}

/** One digest of everything the stage's outputs depend on: checkpoints of another key are not gone on from. */
async function keyOf(
  config: Config,
  definition: StageDefinition,
  dependencies: Dependencies,
): Promise<string> {
  const sources = await Promise.all(dependencies.sources.map(recordSource));
  return sha256Text(
    JSON.stringify([
      runFormat,
      definition.name,
      definition.version,
      config.seed,
      dependencies.settings,
      dependencies.builtFrom,
      sources.map((file) => [file.path, file.sha256]),
    ]),
  );
}

/** Leaves the stage's folder empty, or with the checkpoints of the same work that was cut off. */
async function prepareFolder(stage: Stage, key: string, forced: boolean): Promise<void> {
  try {
    const goesOn = !forced && (await readStarted(stage.runFolder, stage.name)) === key;
    if (goesOn) await sweepTemporaries(stage.folder);
    else await rm(stage.folder, { recursive: true, force: true });
    await mkdir(stage.folder, { recursive: true });
    await writeText(startedPath(stage.runFolder, stage.name), key);
  } catch (cause) {
    throw diskProblem(stage.folder, cause);
  }
}

// ------------------------------------------------------------------------------------------------------------ the index

/** run.json: which stages there are and what they wrote; derived from the manifests, so it can always be written anew. */
export async function writeIndex(runFolder: string): Promise<void> {
  const stages: Record<string, unknown> = {};
  for (const name of stageNames) {
    const manifest = await readManifest(runFolder, name).catch(() => null);
    if (!manifest) continue;
    stages[name] = {
      manifest: `${name}/stage.json`,
      outputs_sha256: outputsDigest(manifest),
      files: manifest.outputs.length,
      bytes: manifest.outputs.reduce((sum, file) => sum + file.bytes, 0),
    };
  }
  await writeText(join(runFolder, 'run.json'), `${JSON.stringify({ format: runFormat, stages }, null, 2)}\n`);
}

/** Versions of what the bytes of a run may depend on. */
function versions(): Record<string, string> {
  const ownPackage = new URL('../../package.json', import.meta.url);
  const own = JSON.parse(readFileSync(ownPackage, 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
  const of = (name: string) => own.dependencies[name] ?? 'none';
  return {
    cascade: own.version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    duckdb: of('@duckdb/node-api'),
    onnxruntime: of('onnxruntime-node'),
    tfjs: of('@tensorflow/tfjs'),
  };
}
