/**
 * Runs stages in order, skipping those whose outputs still hold, and says why each one runs or not. A stage that was cut off goes
 * on from its checkpoint when nothing that it depends on has changed; otherwise it starts from an empty folder.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { internal } from '../errors.js';
import { dependenciesOf, refuseStale, upstreamOf, whatChanged, type RunFolder } from './changes.js';
import { diskProblem, makeFolder, sha256Text, sweepTemporaries, writeText } from './files.js';
import {
  readManifest,
  runFormat,
  writeManifest,
  type FileRecord,
  type Manifest,
  type StageName,
} from './manifest.js';
import type { WorkerProcess } from '../engine/workers/mpi.js';
import { silentProgress, type Progress } from './progress.js';
import { versions, writeIndex } from './runIndex.js';
import { checkpointFolder, recordSource, Stage, type StageDefinition, type StageResult } from './stage.js';

/** A run folder that this process may write to: the lock is held. */
export interface Run extends RunFolder {
  readonly progress: Progress;
  /** The first of several workers, where there are several: it tells the others which stage to help with. */
  readonly workers?: WorkerProcess;
}

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

/** Decides about one stage without running it. Throws when a stage that it reads is missing or no longer holds. */
export async function decide(
  run: RunFolder,
  definition: StageDefinition,
  forced: boolean,
): Promise<Decision> {
  const { name } = definition;
  const say = (reason: string, yes = true): Decision => ({ stage: name, run: yes, reason });
  await refuseStale(run, definition);
  const dependencies = await dependenciesOf(run, definition);
  if (forced) return say('asked for');
  const manifest = await readManifest(run.folder, name);
  if (!manifest) {
    const started = await readStarted(run.folder, name);
    if (started === null) return say('not run before');
    const { key } = await keyOf(run, definition);
    return say(
      started === key
        ? 'was cut off; goes on from its last checkpoint'
        : 'was cut off, and its inputs have changed since',
    );
  }
  const changed = await whatChanged(run, definition, dependencies, manifest);
  return changed === null ? say('nothing changed', false) : say(changed);
}

/** What running these stages in order would do, without doing it. */
export async function plan(
  run: RunFolder,
  chosen: readonly StageDefinition[],
  isForced: (stage: StageName) => boolean,
): Promise<Decision[]> {
  const decisions: Decision[] = [];
  for (const definition of chosen) {
    const { name } = definition;
    const reads = definition.reads(run.config);
    const above = decisions.findLast((decision) => decision.run && reads.includes(decision.stage));
    if (isForced(name)) decisions.push({ stage: name, run: true, reason: 'asked for' });
    else if (!above) decisions.push(await decide(run, definition, false));
    // Whether its inputs will be other bytes is known only when they are written.
    else decisions.push({ stage: name, run: true, reason: `reads what ${above.stage} will write` });
  }
  return decisions;
}

/** Runs one stage if it must, or returns what it printed when it last ran. */
export async function runStage(run: Run, definition: StageDefinition, forced: boolean): Promise<Outcome> {
  const { name } = definition;
  const decision = await decide(run, definition, forced);
  if (!decision.run) {
    const manifest = (await readManifest(run.folder, name)) ?? internal(`no manifest of ${name}`);
    run.progress.note(`${name}: skipped, ${decision.reason} since ${manifest.started_at}`);
    await removeTraces(run.folder, name); // of a process that was killed between its manifest and this
    // The manifest's checksum vouches for it: this is what a stage returned.
    return { ...decision, result: manifest.result as StageResult, seconds: manifest.duration_seconds };
  }
  run.progress.note(`${name}: ${decision.reason}`);
  const startedAt = new Date();
  const { key, dependencies, sourceRecords } = await keyOf(run, definition);
  const upstream = await upstreamOf(run, definition);
  const { sources } = dependencies;
  const stage = new Stage(name, run.folder, run.config, run.progress, upstream, sources, run.workers);
  await prepareFolder(stage, key, forced);
  if (definition.help) run.workers?.say(run.stages.indexOf(definition));

  const result = await definition.work(stage, run.config).finally(() => {
    stage.close();
  });

  const seconds = (Date.now() - startedAt.getTime()) / 1000;
  const manifest: Manifest = {
    format: runFormat,
    stage: name,
    stage_version: definition.version,
    seed: run.config.seed,
    settings: dependencies.settings,
    built_from: dependencies.builtFrom,
    inputs: allInputs(sourceRecords, stage.inputs),
    outputs: stage.outputs,
    result,
    versions: versions(),
    started_at: startedAt.toISOString(),
    duration_seconds: seconds,
  };
  await writeManifest(run.folder, manifest);
  await removeTraces(run.folder, name);
  await writeIndex(run.folder);
  return { ...decision, result, seconds };
}

/** What a worker that is not the first does: helps with every stage that it is told, until there are no more. */
export async function help(run: RunFolder, workers: WorkerProcess): Promise<void> {
  for (let told = await workers.hear(); told !== noMoreStages; told = await workers.hear()) {
    const definition = run.stages[told] ?? internal(`no stage ${told}`);
    const upstream = await upstreamOf(run, definition);
    const stage = new Stage(definition.name, run.folder, run.config, silentProgress, upstream, [], workers);
    await definition.help!(stage, run.config).finally(() => {
      stage.close();
    });
  }
}

/** What the first worker says when its work is done. */
export const noMoreStages = -1;

/** Raw files count as inputs whether or not the stage opened them: a change of any of them is a reason to run again. */
function allInputs(sources: readonly FileRecord[], read: readonly FileRecord[]): readonly FileRecord[] {
  const known = new Set(read.map(({ path }) => path));
  return [...sources.filter(({ path }) => !known.has(path)), ...read];
}

// ------------------------------------------------------------------------------------------------------------- cut off

/** What a stage needs until it is complete, and no longer. */
async function removeTraces(runFolder: string, name: StageName): Promise<void> {
  await rm(checkpointFolder(runFolder, name), { recursive: true, force: true });
  await rm(startedPath(runFolder, name), { force: true });
}

const startedPath = (runFolder: string, stage: StageName) => join(runFolder, stage, 'started.txt');

async function readStarted(runFolder: string, stage: StageName): Promise<string | null> {
  return readFile(startedPath(runFolder, stage), 'utf8').catch(() => null);
}

/** Whether the stage was begun and did not finish. */
export const wasCutOff = async (runFolder: string, stage: StageName) =>
  (await readStarted(runFolder, stage)) !== null;

/** One digest of everything the stage's outputs depend on: checkpoints of another key are not gone on from. */
async function keyOf(run: RunFolder, definition: StageDefinition) {
  const dependencies = await dependenciesOf(run, definition);
  const sourceRecords = await Promise.all(dependencies.sources.map(recordSource));
  const key = sha256Text(
    JSON.stringify([
      runFormat,
      definition.name,
      definition.version,
      run.config.seed,
      dependencies.settings,
      dependencies.builtFrom,
      sourceRecords.map((file) => [file.path, file.sha256]),
    ]),
  );
  return { key, dependencies, sourceRecords };
}

/** Leaves the stage's folder empty, or with the checkpoints of the same work that was cut off. */
async function prepareFolder(stage: Stage, key: string, forced: boolean): Promise<void> {
  try {
    const goesOn = !forced && (await readStarted(stage.runFolder, stage.name)) === key;
    if (goesOn) await sweepTemporaries(stage.folder);
    else await rm(stage.folder, { recursive: true, force: true });
    await makeFolder(stage.folder);
    await writeText(startedPath(stage.runFolder, stage.name), key);
  } catch (cause) {
    throw diskProblem(stage.folder, cause);
  }
}
