/** Batches of a training in runs: those that the engine takes together (engine/severalSteps.ts), none beyond the end of an epoch. */
import type { FeedBatch } from '../../engine/gradients.js';
import type { StreamPosition, TrainingBatch } from './trainingBatches.js';

export interface BatchRun {
  /** None at the end of an epoch, and of the training. */
  readonly batches: readonly FeedBatch[];
  /** Where the streams stand after them; after an epoch's end, at the start of the next one. */
  readonly position: StreamPosition;
  readonly isLast: boolean;
}

/** `longest` is asked before each run. */
export async function* inRuns(
  made: AsyncIterable<TrainingBatch>,
  longest: () => number,
): AsyncGenerator<BatchRun, void> {
  let batches: FeedBatch[] = [];
  let wanted = longest();
  let before: StreamPosition | null = null;
  for await (const { batch, position, isLast } of made) {
    if (batch) {
      batches.push(batch);
      before = position;
      if (batches.length < wanted) continue;
      yield { batches, position, isLast };
    } else {
      if (before && batches.length > 0) yield { batches, position: before, isLast: false };
      yield { batches: [], position, isLast };
    }
    batches = [];
    wanted = longest();
  }
}
