/** A run folder with a chain of tiny stages, each of which can be made to change, to stop halfway, or to read something else. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../src/config/config.js';
import { CascadeError } from '../../src/errors.js';
import type { Run } from '../../src/run/graph.js';
import type { StageName } from '../../src/run/manifest.js';
import { silentProgress } from '../../src/run/progress.js';
import type { SourceFile, Stage, StageDefinition } from '../../src/run/stage.js';
import { load, smallPipeline, temporaryFolder } from './pipeline.js';

/** logs → samples → teacher: each writes one text, made of what it reads and of one setting. */
export class TinyChain {
  readonly folder = join(temporaryFolder(), 'run');
  readonly sourceFolder = temporaryFolder();
  /** Raw files that logs announces. */
  sources: readonly string[] = ['raw.txt'];
  /** Stages in the order in which they worked. */
  readonly worked: StageName[] = [];
  /** Notes on progress. */
  readonly notes: string[] = [];
  /** Called in the middle of a stage's work. */
  during: (stage: Stage) => Promise<void> | void = () => undefined;
  version = 1;

  readonly logs: StageDefinition = {
    name: 'logs',
    version: 1,
    reads: () => [],
    settings: (config) => ({ samples: { label: config.samples.label } }),
    sources: () => Promise.resolve(this.sources.map((name) => this.source(name))),
    work: async (stage, config) => {
      const raw = await readFile(await stage.readSource('raw.txt'), 'utf8');
      return this.write(stage, 'table/part-00000.txt', `${config.samples.label} of ${raw}`);
    },
  };

  get samples(): StageDefinition {
    return {
      name: 'samples',
      version: this.version,
      reads: () => ['logs'],
      settings: (config) => ({ samples: { sequence: config.samples.sequence } }),
      work: async (stage, config) => {
        const [path] = await stage.readTable('logs', 'table');
        const words = await readFile(path!, 'utf8');
        return this.write(stage, 'samples.txt', `${words}, at most ${config.samples.sequence.maxLength}`);
      },
    };
  }

  readonly teacher: StageDefinition = {
    name: 'teacher',
    version: 1,
    reads: () => ['samples'],
    settings: (config) => ({ teacher: { bEpochs: config.teacher.bEpochs } }),
    work: async (stage, config) => {
      const words = await readFile(await stage.read('samples', 'samples.txt'), 'utf8');
      return this.write(stage, 'teacher.txt', `${words}, ${config.teacher.bEpochs} epochs`);
    },
  };

  /** The run with some settings changed. */
  run(...sets: string[]): Run {
    const config: Config = { ...load(smallPipeline, ...sets).config, run: this.folder };
    const progress = { ...silentProgress, note: (line: string) => void this.notes.push(line) };
    return { folder: this.folder, config, progress, stages: [this.logs, this.samples, this.teacher] };
  }

  async writeSource(text: string, name = 'raw.txt'): Promise<void> {
    await writeFile(join(this.sourceFolder, name), text);
  }

  text(file: string): Promise<string> {
    return readFile(join(this.folder, file), 'utf8');
  }

  /** Changes one byte of a file of the run. */
  async flipByte(file: string, at = 3): Promise<void> {
    const bytes = await readFile(join(this.folder, file));
    bytes[at]! ^= 1;
    await writeFile(join(this.folder, file), bytes);
  }

  private source(name: string): SourceFile {
    return { name, path: join(this.sourceFolder, name) };
  }

  private async write(stage: Stage, file: string, text: string) {
    this.worked.push(stage.name);
    await this.during(stage);
    await stage.write(file, (temporary) => writeFile(temporary, text));
    return { lines: [text], data: { text } };
  }
}

/** The codes of the problems that some work ends in; empty when it succeeds. */
export async function codesOf(work: Promise<unknown>): Promise<string[]> {
  return (await problemsOf(work)).map(({ code }) => code);
}

export async function problemsOf(work: Promise<unknown>) {
  try {
    await work;
    return [];
  } catch (error) {
    if (error instanceof CascadeError) return error.problems;
    throw error;
  }
}
