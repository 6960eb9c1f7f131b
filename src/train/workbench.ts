/** What every training stage opens first: the encoded samples (each file verified), the device, first values that models share. */
import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { Config } from '../config/config.js';
import type { BlockShape } from '../data/batches.js';
import type { EncodedData, SetName } from '../data/encodedData.js';
import { openEncodedData } from '../data/openEncodedData.js';
import { parseTransform } from '../data/features.js';
import { readItemVectors } from '../data/itemVectors.js';
import { startEngine } from '../engine/compile.js';
import type { Device } from '../engine/devices/device.js';
import { openDevice } from '../engine/devices/openDevice.js';
import { MemoryTable, type EmbeddingTable } from '../engine/tables/embeddings.js';
import { RandomStream } from '../engine/random.js';
import { readModel } from '../engine/modelFile.js';
import { SeededTable } from '../engine/tables/seededTable.js';
import { modelState, type Initial, type ModelState } from '../engine/state.js';
import { CascadeError } from '../errors.js';
import { returnGarbage } from '../memory.js';
import type { ItemCodes } from '../models/itemCodes.js';
import { studentCodes, type ModelFrame } from '../models/registry.js';
import type { Stage } from '../run/stage.js';
import type { BatchMaker } from './batches/batchMaker.js';
import { openBatches, startBatchThread } from './batches/batchThread.js';
import type { FitContext } from './fitPlan.js';

export class Workbench {
  private constructor(
    readonly stage: Stage,
    readonly config: Config,
    readonly data: EncodedData,
    readonly batches: BatchMaker,
    readonly device: Device,
    /** Log-odds of the label rate on training exposures: where every score starts. */
    readonly baseLogit: number,
  ) {}

  /**
   * `vectors`: the file of the user's own item vectors, for stages whose models code items by them. `makesBatches`: whether the stage trains
   * or scores, for which a thread is started.
   */
  static async open(
    stage: Stage,
    config: Config,
    vectors?: string | null,
    makesBatches = true,
  ): Promise<Workbench> {
    const thread = makesBatches ? startBatchThread() : null;
    if (thread) stage.closeLater(thread);
    const transformPath = await stage.read('samples', 'transform.json');
    await stage.readTable('samples', 'encoded');
    const transform = parseTransform(await readFile(transformPath, 'utf8'), transformPath);
    const index = await stage.read('samples', 'encoded/index.json');
    const itemVectors = vectors ? readItemVectors(vectors) : null;
    const data = openEncodedData(index, transform, config.features.width, itemVectors);
    const device = await openDevice(config.device, threadsEach(config, stage.workers.size));
    if (device.provider !== 'cpu') stage.progress.note(`device: ${device.provider} (${device.why})`);
    const batches = openBatches(data, thread);
    await startEngine(device); // now and not when the first batch waits for it
    return new Workbench(stage, config, data, batches, device, baseLogit(data));
  }

  /** No batch is asked for any more: the memory of their thread is free for what follows, above all the SQL engine's. */
  endBatches(): void {
    this.batches.close();
    returnGarbage();
  }

  get frame(): ModelFrame {
    return { layout: this.data.layout, baseLogit: this.baseLogit };
  }

  /** How the student codes items. */
  get codes(): ItemCodes {
    return studentCodes(this.config, this.frame);
  }

  /** A worker's block of a training step: as many requests as fit into its part of the rows of a step. */
  block(set: SetName): BlockShape {
    const { rowsPerStep, bRowsPerStep } = this.config.training;
    const candidates = this.data.maxCandidates(set);
    const rows = (set === 'a' ? rowsPerStep : bRowsPerStep) / this.stage.workers.size;
    return { set, candidates, requests: Math.max(1, Math.floor(rows / Math.max(1, candidates))) };
  }

  get fitContext(): FitContext {
    const { stage, config, data, batches, device } = this;
    return {
      data,
      batches,
      device,
      seed: config.seed,
      training: config.training,
      checkpointFolder: stage.checkpointFolder,
      saveTo: stage.folder,
      progress: stage.progress,
      workers: stage.workers,
      closeLater: stage.closeLater,
    };
  }

  /** A model that an earlier stage wrote. */
  async readModel(from: 'codebook' | 'teacher' | 'distill', file: string): Promise<ModelState> {
    return readModel(await this.stage.read(from, file), this.stage.closeLater);
  }

  random(name: string): RandomStream {
    return RandomStream.of(this.config.seed, name);
  }

  /**
   * A new model. Pre-rankers draw from one stream, so that what they have in common starts from the same values and their
   * differences are paired.
   */
  newState(initial: Initial, kind: 'pre_ranker' | 'teacher'): ModelState {
    return modelState(initial, this.newTable(this.random(`initial/${kind}/embeddings`)));
  }

  private newTable(stream: RandomStream): EmbeddingTable {
    const { rows, width } = this.data.layout;
    const { features, training } = this.config;
    const deviation = features.initScale;
    if (training.embeddings.kind === 'file')
      return new SeededTable({ rows, width, deviation, key: stream.key });
    refuseTooLarge(rows, width);
    return MemoryTable.random(rows, width, deviation, stream);
  }

  initialStream(kind: 'pre_ranker' | 'teacher'): RandomStream {
    return this.random(`initial/${kind}`);
  }
}

/** Threads of one worker: as many as the config says, or its part of all. */
const threadsEach = ({ threads }: Config, workers: number) =>
  threads === 0 && workers > 1 ? Math.max(1, Math.floor(availableParallelism() / workers)) : threads;

/** A table that will not fit is said at once, and not by the system when hours have passed. */
export function refuseTooLarge(rows: number, width: number, memory = totalmem()): void {
  const bytes = rows * width * 4 * tablesInTraining;
  if (bytes <= memory) return;
  const gigabytes = (count: number) => (count / 1e9).toFixed(0);
  throw new CascadeError({
    code: 'training.table_too_large',
    where: 'features',
    what: `The embedding table has ${rows} rows of ${width} numbers; to train it in memory takes ${gigabytes(bytes)} GB, and this machine has ${gigabytes(memory)}.`,
    mend: 'Set training.embeddings.kind to file, or give hashed features fewer buckets.',
  });
}

/** Weights, two moments of Adam, the settled table of an epoch's end and the best epoch's. */
const tablesInTraining = 5;

function baseLogit(data: EncodedData): number {
  let rows = 0;
  let positives = 0;
  for (const entry of data.shards('a', 'train')) {
    rows += entry.candidates;
    positives += entry.positives;
  }
  if (positives === 0 || positives === rows) {
    throw new CascadeError({
      code: 'data.one_class',
      where: 'samples_a, train',
      what: `All ${rows} training exposures have the same label (${positives} positives): there is nothing to learn.`,
      mend: 'Check `samples.label` and the feedback table.',
    });
  }
  return Math.log(positives / (rows - positives));
}
