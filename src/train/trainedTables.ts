/**
 * Where the embedding tables of a training lie: in memory, or each in a file beside the checkpoint (engine/tables/fileRows.ts), which then says
 * how far the file is to be taken back when the training goes on.
 */
import { join } from 'node:path';
import type { TrainingConfig } from '../config/config.js';
import { isSparse } from '../engine/tables/embeddings.js';
import { FileRows, type RowsMark } from '../engine/tables/fileRows.js';
import { slotStarts, trainedModel, type TrainedModel } from '../engine/gradients.js';
import type { LearningRate, Optimizer } from '../engine/optim/optimizer.js';
import type { ModelState } from '../engine/state.js';
import { internal } from '../errors.js';
import { makeFolder } from '../run/files.js';

/** Of each table in a file what a checkpoint must know, by the model's name. */
export type TableMarks = Readonly<Record<string, RowsMark>>;

export class TrainedTables {
  private constructor(
    readonly models: Readonly<Record<string, TrainedModel>>,
    private readonly files: ReadonlyMap<string, FileRows>,
  ) {}

  /** Models to be trained; `marks`: of the checkpoint that the training goes on from. */
  static async open(
    states: Readonly<Record<string, ModelState>>,
    { embeddings }: TrainingConfig,
    optimizer: Optimizer,
    learningRate: LearningRate,
    folder: string,
    marks: TableMarks | null,
  ): Promise<TrainedTables> {
    const files = new Map<string, FileRows>();
    const models: Record<string, TrainedModel> = {};
    if (embeddings.kind === 'file') await makeFolder(folder);
    for (const [name, state] of Object.entries(states)) {
      if (embeddings.kind === 'memory') {
        models[name] = trainedModel(state, optimizer, learningRate);
        continue;
      }
      const file = new FileRows({
        path: join(folder, `${name}.rows`),
        base: isSparse(state.table) ? state.table : internal(`the table of ${name} is not sparse`),
        slotStarts: slotStarts(optimizer),
        cacheBytes: embeddings.cacheMegabytes * 2 ** 20,
        ...(marks && { resume: marks[name] ?? internal(`checkpoint without the table of ${name}`) }),
      });
      files.set(name, file);
      models[name] = trainedModel(state, optimizer, learningRate, file);
    }
    return new TrainedTables(models, files);
  }

  /** A best state as a checkpoint has left it: the table of a file, whatever `state` has. */
  remembered(name: string, state: ModelState): ModelState {
    return this.files.has(name) ? { ...state, table: this.models[name]!.rows.remembered() } : state;
  }

  /** Puts every change into the files; what the checkpoint must hold that is to be written next. */
  marks(): TableMarks {
    return Object.fromEntries([...this.files].map(([name, file]) => [name, file.mark()]));
  }

  /** The checkpoint with the marks is written. */
  checkpointed(): void {
    for (const file of this.files.values()) file.checkpointed();
  }

  close(): void {
    for (const file of this.files.values()) file.close();
  }
}
