/**
 * Batches of an epoch in training order, from any position. Each batch holds one block of the primary set, whose pass is the epoch,
 * and where a loss asks for it one block of a second set that goes round beside it.
 */
import { BatchAssembler, type BatchNeeds, type Block, type BlockShape } from '../data/batches.js';
import type { EncodedData } from '../data/encodedData.js';
import { epochWindows, type RequestRef } from '../data/requestOrder.js';
import type { ShardEntry, Split } from '../data/shards.js';
import type { FeedBatch } from '../engine/gradients.js';
import { oneWorker, partOf, type Workers } from '../engine/workers/workers.js';

export interface BlockSource {
  readonly shape: BlockShape;
  readonly split: Split;
  readonly teacher?: NonNullable<Block['teacher']>;
}

/** How far a set has been read: whole passes, and requests of the present one. */
export interface Position {
  readonly epoch: number;
  readonly requests: number;
}

export const startPosition: Position = { epoch: 0, requests: 0 };

/** The requests of a set in training order, over and over. */
class RequestReader {
  private window: readonly RequestRef[] = [];
  /** Shards that the present window reads. */
  open: readonly ShardEntry[] = [];
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
        this.open = [...new Set(this.window.map((ref) => ref.shard))].map((shard) => this.entries[shard]!);
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
    this.open = [];
    this.at = 0;
    return epochWindows(this.entries, this.requests, {
      seed: this.seed,
      name: `shuffle/${this.set}`,
      epoch: this.epoch,
    });
  }
}

export interface StreamOptions {
  readonly data: EncodedData;
  readonly needs: BatchNeeds;
  readonly seed: number;
  readonly primary: BlockSource;
  readonly secondary?: BlockSource;
  /** Those who take a batch together: each gets a block of every size-th of its requests. Positions are those of the whole. */
  readonly workers?: Workers;
}

export interface StreamPosition {
  readonly primary: Position;
  readonly secondary: Position;
}

export class BatchStream {
  private readonly assembler: BatchAssembler;
  private readonly primary: RequestReader;
  private readonly secondary: RequestReader | null;

  constructor(
    private readonly options: StreamOptions,
    position: StreamPosition,
  ) {
    this.assembler = new BatchAssembler(options.data, options.needs);
    this.primary = this.reader(options.primary, position.primary);
    this.secondary = options.secondary ? this.reader(options.secondary, position.secondary) : null;
  }

  get position(): StreamPosition {
    return { primary: this.primary.position, secondary: this.secondary?.position ?? startPosition };
  }

  /** Requests of the primary set in one pass. */
  get requestsPerEpoch(): number {
    return this.primary.entries.reduce((sum, entry) => sum + entry.requests, 0);
  }

  /** The next batch, of all workers at most `limit` requests of the primary set; null at the end of its epoch, after which the next one begins. */
  next(limit = Infinity): FeedBatch | null {
    const { primary, secondary, workers = oneWorker } = this.options;
    const refs = this.primary.next(Math.min(workers.size * primary.shape.requests, limit));
    if (refs.length === 0) {
      this.primary.beginNextEpoch();
      return null;
    }
    const blocks: Block[] = [block(primary, this.primary.entries, partOf(refs, workers))];
    if (secondary && this.secondary) {
      const wanted = workers.size * secondary.shape.requests;
      const others = this.secondary.next(wanted);
      if (others.length < wanted) {
        this.secondary.beginNextEpoch();
        others.push(...this.secondary.next(wanted - others.length));
      }
      blocks.push(block(secondary, this.secondary.entries, partOf(others, workers)));
    }
    const batch = this.assembler.assemble(blocks);
    this.options.data.keep([...this.primary.open, ...(this.secondary?.open ?? [])]);
    return batch;
  }

  private reader({ shape, split }: BlockSource, { epoch, requests }: Position): RequestReader {
    const entries = this.options.data.shards(shape.set, split);
    return new RequestReader(entries, shape.set, this.options.seed, epoch, requests);
  }
}

const block = (source: BlockSource, entries: readonly ShardEntry[], refs: readonly RequestRef[]): Block => ({
  shape: source.shape,
  entries,
  refs,
  ...(source.teacher && { teacher: source.teacher }),
});

/** Batches over a whole split in the order of its files, for evaluation; of several workers each gets every size-th. */
export function* scoringBatches(
  data: EncodedData,
  needs: BatchNeeds,
  shape: BlockShape,
  split: Split,
  workers: Workers = oneWorker,
): Generator<{
  batch: FeedBatch;
  refs: readonly RequestRef[];
  entries: readonly ShardEntry[];
  /** Candidates of the split before this batch. */
  before: number;
}> {
  const assembler = new BatchAssembler(data, needs);
  const entries = data.shards(shape.set, split);
  let number = 0;
  let before = 0;
  for (const window of epochWindows(entries, 0)) {
    for (let at = 0; at < window.length; at += shape.requests) {
      const refs = window.slice(at, at + shape.requests);
      if (number++ % workers.size === workers.rank) {
        yield { batch: assembler.assemble([{ shape, entries, refs }]), refs, entries, before };
      }
      for (const { shard, row } of refs) {
        const { offsets } = data.shard(entries[shard]!);
        before += offsets[row + 1]! - offsets[row]!;
      }
    }
    data.keep([]);
  }
}
