/**
 * What a student's training is watched by at the end of each epoch, beside its losses and validation AUC:
 *   within_request_error        its attention term against exact attention with the same parameters, on validation lists of set B
 *   teacher_vector_error        its vector against the teacher's on the same lists, where it is drawn to it; within requests, too
 *   code_usage/l, perplexity/l  of its codes over the whole corpus, per level from 1
 *   weight/…                    weights that started at 0, and similarity, the g of its kernel
 */
import { codebookHealth } from '../codebooks/health.js';
import type { BatchNeeds } from '../data/batches.js';
import type { EncodedData } from '../data/encodedData.js';
import type { TensorData } from '../engine/compile.js';
import { Forward, type ForwardFunction } from '../engine/forward.js';
import type { FeedBatch } from '../engine/gradients.js';
import type { ModelState } from '../engine/state.js';
import { internal } from '../errors.js';
import { embedBlock } from '../layers/inputs.js';
import { WithinRequestError } from '../metrics/withinRequestError.js';
import { trainBlock } from '../models/preRanker.js';
import type { NamedModel, Teacher } from '../models/registry.js';
import { primedFactor } from '../layers/primed.js';
import { cosineFactor } from '../models/rawCosine.js';
import { scoringBatches } from './batches/scoringBatches.js';
import type { FitPlan } from './fitPlan.js';
import { encodeAll, ItemEncoder } from './itemEncoding.js';
import { roles } from './objectives.js';
import type { Workbench } from './workbench.js';

/** Batches of validation lists that the error is measured on, at most. */
const errorBatches = 16;

type Run = (batch: FeedBatch) => Promise<Readonly<Record<string, TensorData>>>;

/** The teacher that a student's vector is drawn to; `state` is that of a teacher that does not move. */
export interface WatchedTeacher extends Teacher {
  readonly state: ModelState;
}

export function watchStudent(
  bench: Workbench,
  student: NamedModel,
  teacher: WatchedTeacher | null,
): NonNullable<FitPlan['measure']> {
  const { data, device } = bench;
  const encoder = new ItemEncoder(data, bench.codes, device);
  const attention = new Forward('within-request-error', attentionOf(student, data), device);
  const vectors = teacher && new Forward('teacher-vector-error', vectorsOf(student, teacher, data), device);
  const matchCounts = student.needs.matchCounts || (teacher?.needs.matchCounts ?? false);
  const needs = { ...student.needs, matchCounts };
  return {
    async of(states) {
      const state = states[roles.model]!;
      const error = await errorOf(bench, student.needs, attention.over({ [roles.model]: state }));
      const missed =
        vectors && (await errorOf(bench, needs, vectors.over({ [roles.teacher]: teacher.state, ...states })));
      return {
        ...(error !== null && { within_request_error: error }),
        ...(missed !== null && { teacher_vector_error: missed }),
        ...(await codeUse(bench, encoder, state)),
        ...startedAtZero(state),
      };
    },
    async release() {
      await encoder.release();
      await attention.release();
      await vectors?.release();
    },
  };
}

/** Forward of a student's attention term, approximate and exact. */
const attentionOf =
  ({ model }: NamedModel, { layout }: EncodedData): ForwardFunction =>
  (models, batch) => {
    const { parameters, rows } = models[roles.model]!;
    const inputs = embedBlock(layout, rows, batch, 'b');
    return { ...(model.attentionTerm ?? internal('a student without attention'))(inputs, parameters) };
  };

/** Forward of a student's vectors and the teacher's. */
const vectorsOf =
  ({ model }: NamedModel, { ranker }: Teacher, { layout }: EncodedData): ForwardFunction =>
  (models, batch) => {
    const { parameters, rows } = models[roles.model]!;
    const teacher = models[roles.teacher]!;
    const inputs = embedBlock(layout, rows, batch, 'b');
    const { vector } = trainBlock(model, inputs, parameters, { mask: inputs.mask });
    const taught = ranker.rank(embedBlock(layout, teacher.rows, batch, 'b'), teacher.parameters);
    return { approximate: vector ?? internal('a student without a vector'), exact: taught.vector };
  };

/** Within-request error of what `forward` gives as `approximate` and `exact`, both [request, candidate] or [request, candidate, width]. */
async function errorOf(bench: Workbench, needs: BatchNeeds, forward: Run): Promise<number | null> {
  const error = new WithinRequestError();
  const shape = bench.block('b');
  let batches = 0;
  for (const { batch, refs } of scoringBatches(
    bench.data,
    { needs, shape, split: 'validation' },
    'until the next',
  )) {
    const { approximate, exact } = await forward(batch);
    const width = exact!.length / (shape.requests * shape.candidates);
    const mask = batch.tensors['b/candidate_mask']!.data;
    refs.forEach((_, r) => {
      const first = r * shape.candidates;
      let count = 0;
      while (count < shape.candidates && mask[first + count]) count++;
      for (let d = 0; d < width; d++) error.add(approximate!, exact!, first * width + d, count, width);
    });
    if (++batches === errorBatches) break;
  }
  return error.value;
}

async function codeUse({ data, codes: coder }: Workbench, encoder: ItemEncoder, state: ModelState) {
  const { codes, squaredErrors, variance } = await encodeAll(data, state, coder, encoder);
  const { levels } = codebookHealth(codes, coder.levels, coder.codes, squaredErrors, variance);
  return Object.fromEntries(
    levels.flatMap(({ level, usage, perplexity }) => [
      [`code_usage/${level}`, usage],
      [`perplexity/${level}`, perplexity],
    ]),
  );
}

/** Weights of terms that start at 0, with what their parameters are multiplied by. */
const termFactors: Readonly<Record<string, number>> = {
  'attention/count': primedFactor,
  'cosine/weight': cosineFactor,
  'match/weights': primedFactor,
};

/** Parameters that say how much data asked for a term. */
function startedAtZero({ layout, vector }: ModelState): Record<string, number> {
  const measures: Record<string, number> = {};
  for (const { name, size } of layout.entries) {
    const values = layout.view(vector, name);
    const factor = termFactors[name];
    for (let i = 0; factor !== undefined && i < size; i++) {
      measures[`weight/${name}${size > 1 ? `/${i + 1}` : ''}`] = factor * values[i]!;
    }
    if (/^(attention|tarq)\/log_similarity$/.test(name)) measures.similarity = Math.exp(values[0]!);
  }
  return measures;
}
