/**
 * Batches in training order, from any position. Each batch holds one block of the primary set, whose pass is the epoch, and where a
 * loss asks for it one block of a second set that goes round beside it.
 */
import {
  BatchAssembler,
  shortestLists,
  type BatchNeeds,
  type Block,
  type BlockShape,
  type Lasting,
  type ListHeights,
} from '../../data/batches.js';
import type { EncodedData } from '../../data/encodedData.js';
import { epochWindows, shardsPerWindow, type RequestRef } from '../../data/requestOrder.js';
import type { ShardEntry, Split } from '../../data/shards.js';
import type { FeedBatch } from '../../engine/gradients.js';
import { partOf, type Place } from '../../engine/workers/workers.js';
import { internal } from '../../errors.js';
import { readTeacherScores } from '../teacherScores.js';

export interface BlockSource {
  readonly shape: BlockShape;
  readonly split: Split;
  /** Files of set C by the shard that they score; only where a loss asks for the teacher's opinion. */
  readonly teacher?: Readonly<Record<string, string>>;
}

/** How far a set has been read: whole passes, and requests of the present one. */
export interface Position {
  readonly epoch: number;
  readonly requests: number;
}

const startOfSet: Position = { epoch: 0, requests: 0 };

/** The requests of a set in training order, over and over. */
class RequestReader {
  private window: readonly RequestRef[] = [];
  private at = 0;
  private windows: Generator<readonly RequestRef[]>;

  constructor(
    readonly entries: readonly ShardEntry[],
    private readonly set: string,
    private readonly seed: number,
    private epoch: number,
    private requests: number,
  ) {
    this.windows = this.openEpoch();
  }

  get position(): Position {
    return { epoch: this.epoch, requests: this.requests };
  }

  /** The next requests, at most `count` and none beyond the end of the epoch; none at all at its end, which begins the next. */
  next(count: number): RequestRef[] {
    const taken: RequestRef[] = [];
    while (taken.length < count) {
      if (this.at === this.window.length) {
        const window = this.windows.next();
        if (window.done) break;
        this.window = window.value;
        this.at = 0;
      }
      const part = this.window.slice(this.at, this.at + count - taken.length);
      taken.push(...part);
      this.at += part.length;
    }
    this.requests += taken.length;
    return taken;
  }

  beginNextEpoch(): void {
    this.epoch++;
    this.requests = 0;
    this.windows = this.openEpoch();
  }

  private openEpoch() {
    this.window = [];
    this.at = 0;
    return epochWindows(this.entries, this.requests, {
      seed: this.seed,
      name: `shuffle/${this.set}`,
      epoch: this.epoch,
    });
  }
}

/** What a training reads. Plain values: a thread of its own may be told to make the batches. */
export interface TrainingOrder {
  readonly needs: BatchNeeds;
  readonly seed: number;
  readonly primary: BlockSource;
  readonly secondary?: BlockSource;
  /** Workers take a batch together: each gets a block of every size-th of its requests. Positions are those of the whole. */
  readonly place: Place;
  readonly from: StreamPosition;
  /** The request of the primary set after which the training ends, counted from the first of the first epoch. */
  readonly lastRequest: number;
}

export interface StreamPosition {
  readonly primary: Position;
  readonly secondary: Position;
  /**
   * Lists of distinct items and rows never get shorter again, so that a training has one shape of batch after its first steps: every
   * other shape is a graph to be compiled and an arena of memory. Shapes change rounding, so that they are kept when training goes on.
   */
  readonly heights: ListHeights;
}

export const startAt = (primary: Position): StreamPosition => ({
  primary,
  secondary: startOfSet,
  heights: shortestLists,
});

export interface TrainingBatch {
  /** null at the end of an epoch, and of the training. */
  readonly batch: FeedBatch | null;
  /** Where the streams stand after it; after an epoch's end, at the start of the next one. */
  readonly position: StreamPosition;
  readonly isLast: boolean;
}

export function* trainingBatches(
  data: EncodedData,
  order: TrainingOrder,
  lasting: Lasting = 'own',
): Generator<TrainingBatch, void> {
  const assembler = new BatchAssembler(data, order.needs, order.from.heights, lasting);
  const primary = blocksOf(order.primary, order.from.primary);
  const secondary = order.secondary && blocksOf(order.secondary, order.from.secondary);
  const epoch = data.requests(order.primary.shape.set, order.primary.split);
  const position = (): StreamPosition => ({
    primary: primary.reader.position,
    secondary: secondary?.reader.position ?? startOfSet,
    heights: assembler.heights,
  });
  for (;;) {
    const { position: at } = primary.reader;
    const left = order.lastRequest - (at.epoch * epoch + at.requests);
    const refs = primary.reader.next(Math.min(primary.wanted, left));
    if (refs.length === 0) {
      if (left > 0) primary.reader.beginNextEpoch();
      yield { batch: null, position: position(), isLast: left <= 0 };
      if (left <= 0) return;
      continue;
    }
    const blocks = [primary.block(refs), ...(secondary ? [secondary.block(goingRound(secondary))] : [])];
    const batch = assembler.assemble(blocks);
    yield { batch, position: position(), isLast: false };
  }

  function blocksOf(source: BlockSource, { epoch: from, requests }: Position) {
    const { shape, split, teacher } = source;
    const entries = data.shards(shape.set, split);
    const scores = teacher && latestScores(teacher);
    return {
      reader: new RequestReader(entries, shape.set, order.seed, from, requests),
      /** Requests of a batch of all workers. */
      wanted: order.place.size * shape.requests,
      block: (all: readonly RequestRef[]): Block => ({
        shape,
        entries,
        refs: partOf(all, order.place),
        ...(scores && { teacher: scores }),
      }),
    };
  }
}

/** A whole batch's requests, from the next pass where this one does not hold enough. */
function goingRound({ reader, wanted }: { reader: RequestReader; wanted: number }): RequestRef[] {
  const refs = reader.next(wanted);
  if (refs.length < wanted) {
    reader.beginNextEpoch();
    refs.push(...reader.next(wanted - refs.length));
  }
  return refs;
}

/** Set C shard by shard. Those of a window are kept: where a block goes over to the next one it does not come back. */
function latestScores(paths: Readonly<Record<string, string>>): NonNullable<Block['teacher']> {
  const kept = new Map<string, ReturnType<typeof readTeacherScores>>();
  return ({ file }) => {
    const known = kept.get(file);
    if (known) return known;
    const scores = readTeacherScores(paths[file] ?? internal(`no teacher scores of ${file}`));
    kept.set(file, scores);
    if (kept.size > shardsPerWindow) kept.delete(kept.keys().next().value!);
    return scores;
  };
}
