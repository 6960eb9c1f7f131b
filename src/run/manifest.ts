/**
 * A stage's manifest, `<run>/<stage>/stage.json`: everything that the stage's outputs depend on and what they are, so that a later
 * command can tell whether they still hold (Law 2). It is written last; a stage without one did not finish. Durations live here and
 * nowhere else. The file carries its own checksum: a flipped byte in it is noticed like one in any other file.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CascadeError } from '../errors.js';
import { sha256Text, writeText, type Trace } from './files.js';

/** Version of the run folder's layout; a run of another version is refused. */
export const runFormat = 1;

export const stageNames = ['logs', 'samples', 'codebook', 'teacher', 'distill', 'eval'] as const;
export type StageName = (typeof stageNames)[number];

/** One file as it was when the stage read or wrote it; keys as in the JSON. */
export interface FileRecord extends Trace {
  /** Relative to the run folder; `source:` and a name for raw data outside of it. */
  readonly path: string;
  readonly sha256: string;
  readonly rows?: number;
  readonly schema_version?: string;
}

export interface Manifest {
  readonly format: number;
  readonly stage: StageName;
  /** Raised when the stage's code writes other outputs for the same inputs. */
  readonly stage_version: number;
  readonly seed: number;
  /** The settings that the outputs depend on. */
  readonly settings: unknown;
  /** Digest of each stage's outputs that this one was built from. */
  readonly built_from: Readonly<Partial<Record<StageName, string>>>;
  readonly inputs: readonly FileRecord[];
  readonly outputs: readonly FileRecord[];
  /** What the command printed, so that a skipped stage can print it again. */
  readonly result: unknown;
  readonly versions: Readonly<Record<string, string>>;
  readonly started_at: string;
  readonly duration_seconds: number;
}

const manifestPath = (runFolder: string, stage: StageName) => join(runFolder, stage, 'stage.json');

/** One digest of all outputs, independent of when they were written. */
export function outputsDigest(manifest: Manifest): string {
  const lines = manifest.outputs.map((file) => `${file.path} ${file.sha256}`);
  return sha256Text(lines.toSorted().join('\n'));
}

export async function writeManifest(runFolder: string, manifest: Manifest): Promise<void> {
  const body = JSON.stringify(manifest, null, 2);
  await writeText(manifestPath(runFolder, manifest.stage), `${sealed(body)}\n`);
}

/** The manifest of a finished stage, or null when the stage did not finish. */
export async function readManifest(runFolder: string, stage: StageName): Promise<Manifest | null> {
  const path = manifestPath(runFolder, stage);
  if (!existsSync(path)) return null;
  const manifest = unsealed(await readFile(path, 'utf8')) as Manifest | null;
  if (!manifest) {
    throw new CascadeError({
      code: 'run.damaged_manifest',
      where: path,
      what: 'This manifest does not match its own checksum: it was changed or damaged after it was written.',
      mend: `Run \`cascade ${stage} --force\` with the same --config to write the stage anew.`,
    });
  }
  if (manifest.format !== runFormat) {
    throw new CascadeError({
      code: 'run.other_version',
      where: path,
      what: `This run folder has format ${manifest.format}; this version of cascade reads and writes format ${runFormat}.`,
      mend: 'Give a new run folder with --run, or use the version of cascade that wrote this one.',
    });
  }
  return manifest;
}

/** Adds the checksum of the text as the last key of the JSON object. */
function sealed(json: string): string {
  return json.replace(/\n}$/, `,\n  "checksum": "${sha256Text(json)}"\n}`);
}

/** The object of a sealed text, or null when text and checksum do not match. */
function unsealed(text: string): unknown {
  const match = /^([\s\S]*),\n {2}"checksum": "([0-9a-f]{64})"\n}\n$/.exec(text);
  if (!match) return null;
  const json = `${match[1]}\n}`;
  return sha256Text(json) === match[2] ? JSON.parse(json) : null;
}
