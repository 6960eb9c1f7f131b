/**
 * The first value that is not finite stops training. Here the step is looked at again to say which tensor it was: what went in, the
 * loss terms, then the gradient of each parameter. The batch is saved so that the step can be repeated.
 */
import { join } from 'node:path';
import { CascadeError } from '../errors.js';
import { compile, type Feeds, type TensorData } from './compile.js';
import { writeSafetensors, type StoredTensor } from './safetensors.js';
import { recordGradients, type FeedBatch, type StepOptions } from './gradients.js';
import type { Workers } from './workers/workers.js';

interface FailedStep extends StepOptions {
  readonly step: number;
  readonly batch: FeedBatch;
  readonly feeds: Feeds;
  /** Of this worker's part of the batch. */
  readonly outputs: Readonly<Record<string, TensorData>>;
  readonly workers: Workers;
}

/** Saves the batch and throws the error that names tensor, step and file: on the first worker whose part of the batch it came from. */
export async function reportNonFinite(failed: FailedStep): Promise<never> {
  const { workers, name, step } = failed;
  const found = await workers.gather(Int32Array.of(isOwn(failed) ? 1 : 0));
  const first = Math.max(
    0,
    found.findIndex(([own]) => own === 1),
  );
  try {
    if (workers.rank === first) return await reportOwn(failed);
  } finally {
    await workers.meet(); // a worker that ends takes the others with it
  }
  throw new CascadeError({
    code: 'training.not_finite',
    where: `${name}, step ${step}`,
    subject: `worker ${first + 1} of ${workers.size}`,
    what: 'The first value that is not a finite number is in its part of the batch; its message names the tensor.',
  });
}

const isOwn = ({ outputs }: FailedStep) =>
  [outputs.loss!, outputs.gradient_norm!, outputs.state_norm!].some((value) => !allFinite(value));

async function reportOwn(failed: FailedStep): Promise<never> {
  const tensor = (await firstNonFinite(failed)) ?? 'the updated parameters';
  const path = join(failed.saveTo, `non-finite-${failed.name}-step-${failed.step}.safetensors`);
  await saveBatch(path, failed.batch);
  throw new CascadeError({
    code: 'training.not_finite',
    where: `${failed.name}, step ${failed.step}`,
    subject: tensor,
    what: `The first value that is not a finite number is in ${tensor}; the batch is saved as ${path}.`,
    mend: 'Lower training.optimizer.learning_rate, set training.clip_norm (1 is a good start), or look for extreme values among the numeric features.',
  });
}

async function firstNonFinite(failed: FailedStep): Promise<string | null> {
  for (const [name, { data }] of Object.entries(failed.batch.tensors)) {
    if (!allFinite(data)) return `batch input ${name}`;
  }
  for (const [name, { state }] of Object.entries(failed.trained)) {
    for (const entry of state.layout.entries) {
      if (!allFinite(state.layout.view(state.vector, entry.name))) return `parameter ${name}/${entry.name}`;
    }
    if (!allFinite(failed.feeds[`rows:${name}`]!)) return `embedding rows of ${name}`;
  }
  for (const [name, data] of Object.entries(failed.outputs)) {
    if (name.startsWith('term:') && !allFinite(data)) return `loss term ${name.slice('term:'.length)}`;
  }
  return firstGradient(failed);
}

/** Runs forward and backward once more, with every gradient as an output. */
async function firstGradient(failed: FailedStep): Promise<string | null> {
  const specs = Object.fromEntries(
    Object.entries(failed.feeds).flatMap(([name, data]) => {
      if (name.startsWith('scalar:')) return [];
      const batchTensor = failed.batch.tensors[name.replace(/^batch:/, '')];
      if (name.startsWith('batch:') && batchTensor) return [[name, batchTensor.spec] as const];
      const rows = failed.batch.rowIds.length;
      const shape = name.startsWith('rows:') ? [rows, data.length / rows] : [data.length];
      return [[name, { shape, dtype: 'float32' as const }] as const];
    }),
  );
  const graph = await compile(
    `${failed.name}-gradients`,
    specs,
    (tensors) => {
      const { byModel } = recordGradients(failed, tensors);
      return Object.fromEntries(
        byModel.flatMap(({ name, layout, dense, rows }) => [
          ...layout.entries.map((entry, i) => [`${name}/${entry.name}`, dense[i]!] as const),
          [`embedding rows of ${name}`, rows] as const,
        ]),
      );
    },
    failed.device,
  );
  const gradients = await graph.run(failed.feeds);
  await graph.release();
  const bad = Object.entries(gradients).find(([, data]) => !allFinite(data));
  return bad ? `gradient of ${bad[0]}` : null;
}

function allFinite(data: TensorData): boolean {
  for (const value of data) if (!Number.isFinite(value)) return false;
  return true;
}

async function saveBatch(path: string, batch: FeedBatch): Promise<void> {
  const tensors: Record<string, StoredTensor> = {
    row_ids: { shape: [batch.rowCount], values: batch.rowIds.slice(0, batch.rowCount) },
  };
  for (const [name, { spec, data }] of Object.entries(batch.tensors)) {
    tensors[name] = { shape: spec.shape, values: data instanceof Uint8Array ? Int32Array.from(data) : data };
  }
  await writeSafetensors(path, { tensors, metadata: {} });
}
