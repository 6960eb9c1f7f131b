/** Settings of `training`: what all training stages share, and the budget of one. */
import * as z from 'zod';
import { key, usualKind, count, share, weight } from './parts.js';

const optimizer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: usualKind('adam').describe('Adam'),
    learning_rate: key(z.number().positive().default(1e-3), 'step size'),
    beta1: key(z.number().min(0).lt(1).default(0.9), 'decay of the first moment'),
    beta2: key(z.number().min(0).lt(1).default(0.999), 'decay of the second moment'),
    epsilon: key(z.number().positive().default(1e-8), 'added to the root of the second moment'),
  }),
  z.strictObject({
    kind: z.literal('adamw').describe('Adam with decoupled weight decay'),
    learning_rate: key(z.number().positive().default(1e-3), 'step size'),
    beta1: key(z.number().min(0).lt(1).default(0.9), 'decay of the first moment'),
    beta2: key(z.number().min(0).lt(1).default(0.999), 'decay of the second moment'),
    epsilon: key(z.number().positive().default(1e-8), 'added to the root of the second moment'),
    weight_decay: key(
      weight.default(1e-2),
      'decoupled decay; embeddings decay from the first step that touches them',
    ),
  }),
  z.strictObject({
    kind: z.literal('adagrad').describe('steps shrink with the sum of squared gradients'),
    learning_rate: key(z.number().positive().default(1e-2), 'step size'),
    initial_accumulator: key(weight.default(0.1), 'first value of the sum of squares'),
    epsilon: key(z.number().positive().default(1e-10), 'added to the root of the sum of squares'),
  }),
  z.strictObject({
    kind: z.literal('sgd').describe('plain gradient steps, with momentum if wished'),
    learning_rate: key(z.number().positive().default(1e-2), 'step size'),
    momentum: key(z.number().min(0).lt(1).default(0), 'share of the last update that is kept'),
  }),
]);

export const schedule = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: usualKind('constant').describe('always the same, after the warm-up'),
    warm_up_steps: key(z.int().min(0).default(0), 'steps of linear rise'),
  }),
  z.strictObject({
    kind: z.literal('linear').describe('falls in a line over the budget'),
    warm_up_steps: key(z.int().min(0).default(0), 'steps of linear rise'),
    final_share: key(share.default(0), 'share left at the end of the budget'),
  }),
  z.strictObject({
    kind: z.literal('cosine').describe('falls along half a cosine over the budget'),
    warm_up_steps: key(z.int().min(0).default(0), 'steps of linear rise'),
    final_share: key(share.default(0), 'share left at the end of the budget'),
  }),
]);

const embeddings = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: usualKind('memory').describe('in memory: four times the table for Adam and the best epoch'),
    device_megabytes: key(
      z.int().min(0).max(65536).default(1024),
      'on webgpu: memory of the GPU for the tables of a training with their optimiser state, which stay there between steps if all of them fit; if not, or with 0, the rows of each batch cross the bus',
    ),
  }),
  z.strictObject({
    kind: z
      .literal('file')
      .describe(
        'in files of the run folder, for vocabularies larger than memory: only rows in use are in memory; the disk holds the rows that training touched, and 4 bytes for each other',
      ),
    cache_megabytes: key(
      z.int().min(1).max(4096).default(256),
      'memory for rows in use, for each trained model; changes no output',
    ),
  }),
]);

export const training = z.strictObject({
  rows_per_step: key(
    count.default(1024),
    'candidates of set A in a step, of all workers together; requests = rows / longest request',
  ),
  b_rows_per_step: key(count.default(1024), 'candidates of sets B and C in a step, where they are used'),
  optimizer: key(optimizer.prefault({}), 'moves dense weights and the touched embedding rows alike'),
  schedule: key(schedule.prefault({}), 'learning rate over the steps of the budget'),
  embeddings: key(embeddings.prefault({}), 'where embedding tables and their optimiser state lie'),
  untouched_rows: key(
    z.enum(['drift', 'rest']).default('drift'),
    'embedding rows without a gradient: their momentum goes on moving them, as in a dense optimiser (made up for when a row is next needed), or they rest (lazy updates), which trains rare ids too little',
  ),
  steps_per_run: key(
    z.int().min(0).max(1024).default(0),
    'steps that go to the device as one piece of work, so that weights and optimiser state cross the bus once for all of them; 0 = 32 on cuda, 1 elsewhere (webgpu keeps them in its memory; workers and tensorflow take one at a time). Changes results by rounding alone',
  ),
  clip_norm: key(weight.default(0), 'largest norm of the whole gradient; 0 = no clipping'),
  workers: key(
    count.default(1),
    'processes that share every training step, each with `threads` threads and a part of the rows; they talk by MPI (scripts/install-mpi). Results differ from those of one worker by rounding alone',
  ),
  checkpoint_every_seconds: key(z.number().positive().default(30), 'time between checkpoints'),
});

export const budget = (epochs: number, patience: number) => ({
  epochs: key(z.number().positive().default(epochs), 'passes over the training requests at most'),
  patience: key(
    z.int().min(1).default(patience),
    'epochs without a better validation AUC on set A before training stops; the best epoch is kept',
  ),
});
