/**
 * The teacher: a target-attention ranker, trained on exposures and then on its own input space (RankFlow), and its opinion of every
 * candidate of B.
 * In:  samples (encoded, samples_b).
 * Out: teacher.safetensors, samples_c (samples_b with teacher_logit and teacher_rank, never null), encoded/b/* (the same for
 *      training), validation (AUC of every epoch), training_log.
 * Promise: the state kept is the one before or after the phase on B, whichever is better on validation exposures; a teacher whose
 * vector does not depend on the candidate stops the run.
 */
import type { Config } from '../config/config.js';
import { BatchAssembler, shortestLists } from '../data/batches.js';
import { Forward } from '../engine/forward.js';
import { writeModel } from '../engine/modelFile.js';
import { copyState, type ModelState } from '../engine/state.js';
import { CascadeError } from '../errors.js';
import { returnGarbage } from '../memory.js';
import { WithinGroupShare } from '../metrics/variance.js';
import { teacherModel, type Teacher } from '../models/registry.js';
import type { Stage, StageResult } from '../run/stage.js';
import { fit } from '../train/fit.js';
import type { FitResult } from '../train/fitPlan.js';
import { rankerLoss, rankerScores, roles } from '../train/objectives.js';
import { teacherFile, teacherRanks, writeTeacherScores } from '../train/teacherScores.js';
import { writeTrainingLog } from '../train/trainingLog.js';
import { writeValidationTable } from '../train/validationTable.js';
import { Workbench } from '../train/workbench.js';
import { writeSamplesC } from './samplesC.js';

export async function trainTeacher(stage: Stage, config: Config): Promise<StageResult> {
  const bench = await Workbench.open(stage, config);
  const teacher = teacherModel(config, bench.frame);
  const phases = await trainPhases(bench, teacher);
  bench.endBatches();
  const best = phases.reduce((a, b) => (aucOf(b) > aucOf(a) ? b : a));
  const state = best.result.best[roles.teacher]!;
  await stage.write('teacher.safetensors', (path) => writeModel(path, state));
  const share = await scoreSetB(bench, teacher, state);
  returnGarbage();
  await writeSamplesC(stage, bench.data.index.b);
  await writeTrainingLog(
    stage,
    Object.fromEntries(phases.map(({ name, result }) => [`teacher_${name}`, result.log])),
  );
  await writeValidationTable(
    stage,
    phases.map(({ name, result }) => ({ model: `teacher_${name}`, result })),
  );
  passGate(config, share);
  const lines = phases.map(({ name, result }) => {
    const epoch = result.bestEpoch;
    return `after ${name}: validation AUC ${epoch?.validationAuc?.toFixed(4) ?? '–'} (epoch ${epoch?.epoch ?? 0})`;
  });
  lines.push(
    `kept: the state after ${best.name}; within-request share of its vector's variance ${share?.toPrecision(2) ?? '–'}`,
  );
  return { lines, data: { kept: best.name, withinRequestShare: share } };
}

/** Workers share both phases; scoring is done by one. */
export async function helpWithTeacher(stage: Stage, config: Config): Promise<void> {
  const bench = await Workbench.open(stage, config);
  await trainPhases(bench, teacherModel(config, bench.frame));
}

interface Phase {
  readonly name: 'a' | 'b';
  readonly result: FitResult;
}

const aucOf = ({ result }: Phase) => result.bestEpoch?.validationAuc ?? 0;

/** Warm-up on exposures, then self-learning on the truncated space, both judged on validation exposures. */
async function trainPhases(bench: Workbench, { ranker, needs }: Teacher): Promise<Phase[]> {
  const { config, data } = bench;
  const first = bench.newState(ranker.initial(bench.initialStream('teacher')), 'teacher');
  const { epochs, patience, bEpochs } = config.teacher;
  const validation = { score: rankerScores(ranker, data.layout, 'a'), shape: bench.block('a'), patience };
  const train = (set: 'a' | 'b', start: ModelState, passes: number) =>
    fit(
      {
        name: `teacher_${set}`,
        trained: { [roles.teacher]: start },
        loss: rankerLoss(ranker, data.layout, set),
        needs,
        primary: { shape: bench.block(set), split: 'train' },
        epochs: passes,
        validation,
      },
      bench.fitContext,
    );
  const onA = await train('a', first, epochs);
  returnGarbage();
  const phases: Phase[] = [{ name: 'a', result: onA }];
  if (bEpochs > 0 && data.requests('b', 'train') > 0) {
    phases.push({ name: 'b', result: await train('b', copyState(onA.best[roles.teacher]!), bEpochs) });
  }
  return phases;
}

/** Scores every candidate of B, shard by shard; returns the within-request share of the vectors on validation and test. */
async function scoreSetB(
  bench: Workbench,
  { ranker, needs }: Teacher,
  state: ModelState,
): Promise<number | null> {
  const { config, data, device, stage } = bench;
  const shape = bench.block('b');
  const forward = new Forward('teacher-scores', rankerScores(ranker, data.layout, 'b'), device);
  const assembler = new BatchAssembler(data, needs, shortestLists, 'until the next');
  const share = new WithinGroupShare(config.teacher.width);
  const task = stage.progress.begin('scoring set B', data.index.b.length, 'shards');
  for (const [done, entry] of data.index.b.entries()) {
    const { requests, offsets, items } = data.shard(entry);
    const logit = new Float32Array(items.length);
    for (let start = 0; start < requests; start += shape.requests) {
      const rows = Array.from({ length: Math.min(shape.requests, requests - start) }, (_, i) => start + i);
      const block = { shape, entries: [entry], refs: rows.map((row) => ({ shard: 0, row })) };
      const outputs = await forward.over({ [roles.teacher]: state })(assembler.assemble([block]));
      rows.forEach((row, r) => {
        const count = offsets[row + 1]! - offsets[row]!;
        const from = r * shape.candidates;
        logit.set(outputs.logits!.subarray(from, from + count), offsets[row]);
        if (entry.split !== 'train') share.add(outputs.vector!, from * config.teacher.width, count);
      });
    }
    const itemIds = BigInt64Array.from(items, (item) => data.items.ids[item]!);
    const scores = { logit, rank: teacherRanks(offsets, logit, itemIds) };
    await stage.write(teacherFile(entry), (path) => writeTeacherScores(path, offsets, scores));
    data.letGo();
    task.update(done + 1);
  }
  task.end();
  await forward.release();
  return share.value;
}

function passGate({ teacher }: Config, share: number | null): void {
  const { minWithinRequestShare } = teacher.gate;
  if (share === null || share >= minWithinRequestShare) return;
  throw new CascadeError({
    code: 'gate.teacher',
    where: 'teacher',
    subject: 'within-request share',
    what: `The teacher's vector does not depend on the candidate: ${share.toExponential(1)} of its variance lies within a request, the gate asks for ${minWithinRequestShare}. A student has nothing to learn from it.`,
    mend: 'Set teacher.residual to true and teacher.similarity_start to 5, or raise features.init_scale; teacher.gate.min_within_request_share: 0 switches the gate off.',
  });
}
