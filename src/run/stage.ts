/**
 * What a stage is given and what it promises. A stage reads files of earlier stages (each verified against its hash when it is
 * read), writes its own (each whole or not at all), and may leave checkpoints that the same stage, started again, goes on from.
 */
import { availableParallelism } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import type { Config } from '../config/config.js';
import type { Duckdb } from '../data/duckdb.js';
import { CascadeError, internal } from '../errors.js';
import { returnFreed } from '../memory.js';
import { sameTrace, sha256, traceOf, writeWhole } from './files.js';
import { oneWorker, type Workers } from '../engine/workers/workers.js';
import type { FileRecord, Manifest, StageName } from './manifest.js';
import type { Progress } from './progress.js';

/** A file outside of the run folder that a stage reads: raw logs. */
export interface SourceFile {
  /** Name in manifests, relative to `logs.source`. */
  readonly name: string;
  readonly path: string;
}

/** What a stage prints: lines for people, data for `--json`. Both are stored, so that a skipped stage can print them again. */
export interface StageResult {
  readonly lines: readonly string[];
  readonly data: unknown;
}

export interface StageDefinition {
  readonly name: StageName;
  /** Raised when the stage's code writes other outputs for the same inputs. */
  readonly version: number;
  /** Stages whose outputs it reads, with these settings. */
  reads(config: Config): readonly StageName[];
  /** The settings that its outputs depend on, beside the seed. */
  settings(config: Config): unknown;
  /** Raw files it reads, where it reads any. */
  sources?(config: Config): Promise<readonly SourceFile[]>;
  work(stage: Stage, config: Config): Promise<StageResult>;
  /** The trainings of the stage alone: what other workers do beside the one that does its work. They write nothing. */
  help?(stage: Stage, config: Config): Promise<void>;
}

export const checkpointFolder = (runFolder: string, stage: StageName) => join(runFolder, stage, 'checkpoint');

/** A running stage: its inputs, its outputs, its place for checkpoints. */
export class Stage {
  private readonly inputRecords = new Map<string, FileRecord>();
  private readonly outputRecords = new Map<string, FileRecord>();
  private readonly toClose: { close(): void }[] = [];

  constructor(
    readonly name: StageName,
    readonly runFolder: string,
    readonly config: Config,
    readonly progress: Progress,
    private readonly upstream: ReadonlyMap<StageName, Manifest>,
    private readonly sources: readonly SourceFile[],
    /** Those who train together. */
    readonly workers: Workers = oneWorker,
  ) {}

  get folder(): string {
    return join(this.runFolder, this.name);
  }

  /** Where the stage may keep checkpoints; removed when it completes, kept when it is cut off. */
  get checkpointFolder(): string {
    return checkpointFolder(this.runFolder, this.name);
  }

  get threads(): number {
    return this.config.threads === 0 ? availableParallelism() : this.config.threads;
  }

  get inputs(): readonly FileRecord[] {
    return sortedByPath(this.inputRecords);
  }

  get outputs(): readonly FileRecord[] {
    return sortedByPath(this.outputRecords);
  }

  /** The verified path of one file that an earlier stage wrote, such as `read('samples', 'transform.json')`. */
  async read(from: StageName, file: string): Promise<string> {
    const path = `${from}/${file}`;
    const record = this.manifestOf(from).outputs.find((output) => output.path === path);
    if (!record) internal(`stage ${this.name} reads ${path}, which stage ${from} does not write`);
    return this.verified(record);
  }

  /** The verified paths of all parts of a table that an earlier stage wrote, such as `readTable('samples', 'samples_a')`. */
  async readTable(from: StageName, table: string): Promise<string[]> {
    const prefix = `${from}/${table}/`;
    const records = this.manifestOf(from).outputs.filter((output) => output.path.startsWith(prefix));
    const paths: string[] = [];
    for (const record of records) paths.push(await this.verified(record)); // not all at once: each file takes a buffer
    return paths;
  }

  /** Whether an earlier stage wrote this file or table. */
  has(from: StageName, file: string): boolean {
    return this.manifestOf(from).outputs.some(
      ({ path }) => path === `${from}/${file}` || path.startsWith(`${from}/${file}/`),
    );
  }

  /** The path of a raw file by its name; its hash is recorded. */
  async readSource(name: string): Promise<string> {
    const source = this.sources.find((file) => file.name === name);
    if (!source) internal(`stage ${this.name} reads the raw file ${name}, which it did not announce`);
    if (!this.inputRecords.has(name)) this.inputRecords.set(name, await recordSource(source));
    return source.path;
  }

  /** Writes one output file, whole or not at all, and records it. `write` returns the number of rows, where it has rows. */
  async write(
    file: string,
    write: (temporary: string) => Promise<number> | Promise<void>,
    schemaVersion?: string,
  ): Promise<void> {
    const path = join(this.folder, file);
    let rows: number | undefined;
    await writeWhole(path, async (temporary) => {
      rows = (await write(temporary)) ?? undefined;
    });
    returnFreed(); // what the file was made of
    const record = await recordFile(this.runFolder, path);
    this.outputRecords.set(record.path, {
      ...record,
      ...(rows !== undefined && { rows }),
      ...(schemaVersion !== undefined && { schema_version: schemaVersion }),
    });
  }

  /** Closes a file when the stage has ended, well or not. */
  readonly closeLater = (file: { close(): void }): void => {
    this.toClose.push(file);
  };

  close(): void {
    for (const file of this.toClose.splice(0)) file.close();
  }

  /** Runs `work` with an SQL engine of the config's size that is closed afterwards. */
  async withDuckdb<T>(work: (db: Duckdb) => Promise<T>): Promise<T> {
    const { Duckdb } = await import('../data/duckdb.js'); // skipping a stage needs no engine
    const db = await Duckdb.open({
      threads: this.threads,
      memoryLimit: this.config.memoryLimit ?? enoughFor(this.threads),
      spillFolder: join(this.folder, 'spill'),
    });
    try {
      return await work(db);
    } finally {
      await db.close();
    }
  }

  private manifestOf(from: StageName): Manifest {
    return this.upstream.get(from) ?? internal(`stage ${this.name} does not declare that it reads ${from}`);
  }

  private async verified(record: FileRecord): Promise<string> {
    const path = join(this.runFolder, record.path);
    if (!this.inputRecords.has(record.path)) {
      await verify(record, path);
      this.inputRecords.set(record.path, record);
    }
    return path;
  }
}

/**
 * What the SQL engine works with on any amount of data. It fills what it is given and then spills: with this much 3,000 users of the
 * quickstart fill it already, and tables of 30,000 are checked and sorted in the time that twice as much takes.
 */
const enoughFor = (threads: number) => `${64 * (1 + threads)}MB`;

/** Compares a file with its record by its full hash. */
async function verify(record: FileRecord, path: string): Promise<void> {
  const [stage] = record.path.split('/');
  if (!(await traceOf(path))) {
    throw new CascadeError({
      code: 'run.missing_file',
      where: path,
      what: `Stage \`${stage}\` wrote this file, and it is gone.`,
      mend: `Run \`cascade ${stage} --force\` with the same --config, or \`cascade train\`, to write it anew.`,
    });
  }
  if ((await sha256(path)) !== record.sha256) {
    throw new CascadeError({
      code: 'run.changed_file',
      where: path,
      what: `This file is not the one that stage \`${stage}\` wrote: its SHA-256 differs. It was changed or damaged.`,
      mend: `Run \`cascade ${stage} --force\` with the same --config to write it anew.`,
    });
  }
}

export async function recordFile(runFolder: string, path: string): Promise<FileRecord> {
  const trace = (await traceOf(path)) ?? internal(`${path} was written and is gone`);
  const name = isAbsolute(path) ? relative(runFolder, path) : path;
  return { path: name, sha256: await sha256(path), ...trace };
}

export async function recordSource(source: SourceFile): Promise<FileRecord> {
  const trace = await traceOf(source.path);
  if (!trace) {
    throw new CascadeError({
      code: 'data.missing_file',
      where: source.path,
      what: 'There is no such file.',
      mend: 'Check `logs.source` in the config, or give it with --set logs.source=<folder>.',
    });
  }
  return { path: source.name, sha256: await sha256(source.path), ...trace };
}

/** Whether a file still is the recorded one: by its trace, and by its hash when the trace differs. */
export async function stillSame(record: FileRecord, path: string): Promise<boolean> {
  const trace = await traceOf(path);
  if (!trace) return false;
  return sameTrace(trace, record) || (await sha256(path)) === record.sha256;
}

const sortedByPath = (records: ReadonlyMap<string, FileRecord>) =>
  [...records.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
