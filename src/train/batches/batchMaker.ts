/** Where batches come from: made in place when they are asked for, or by a thread of their own (batchThread.ts). The same either way. */
import type { EncodedData } from '../../data/encodedData.js';
import { scoringBatches, type ScoringBatch, type ScoringOrder } from './scoringBatches.js';
import { trainingBatches, type TrainingBatch, type TrainingOrder } from './trainingBatches.js';

export interface BatchMaker {
  training(order: TrainingOrder): AsyncGenerator<TrainingBatch, void>;
  scoring(order: ScoringOrder): AsyncGenerator<ScoringBatch, void>;
  close(): void;
}

export const batchesInPlace = (data: EncodedData): BatchMaker => ({
  training: (order) => later(trainingBatches(data, order)),
  scoring: (order) => later(scoringBatches(data, order)),
  close: () => undefined,
});

// eslint-disable-next-line @typescript-eslint/require-await -- what is there at once, where what is waited for may come
async function* later<T>(batches: Generator<T, void>): AsyncGenerator<T, void> {
  yield* batches;
}
