/**
 * Distillation: the student, its two-tower baseline and the cheap rivals, all on the same data with the same budget.
 * In:  samples (encoded), codebook (student.safetensors, item vectors), teacher (teacher.safetensors, encoded set C).
 * Out: <model>.safetensors for each, codes and codebook (final: re-encoded with the student's own encoder), health, validation (AUC of
 *      every epoch), training_log (every loss term of every step by name).
 * Promise: every model sees the same requests in the same order; the student's warm-up in the codebook stage counts as part of its
 * budget; the epoch kept is the one with the best validation AUC on set A. Interrupted and resumed = never interrupted.
 */
import type { Config } from '../config/config.js';
import { lossWeights, vectorLossesOf } from '../config/lossWeights.js';
import { writeModel } from '../engine/modelFile.js';
import {
  preRanker,
  studentName,
  teacherModel,
  trainedPreRankers,
  type PreRankerName,
} from '../models/registry.js';
import { internal } from '../errors.js';
import { advice } from '../report/advice.js';
import type { Stage, StageResult } from '../run/stage.js';
import { distinctItems, drawItems, refitCodes, trainingItems } from '../train/codeFitting.js';
import { healthLines, writeCodebook } from '../train/codebookTables.js';
import { keepCodes, upkeepEvery } from '../train/codeUpkeep.js';
import { fit } from '../train/fit.js';
import type { FitPlan, FitResult } from '../train/fitPlan.js';
import { ItemEncoder } from '../train/itemEncoding.js';
import { storedVectors } from '../train/itemVectors.js';
import { preRankerLoss, preRankerScores, roles, vectorLossShare } from '../train/objectives.js';
import { teacherFile } from '../train/teacherScores.js';
import { writeMeasures } from '../train/measuresTable.js';
import { writeTrainingLog } from '../train/trainingLog.js';
import { writeValidationTable } from '../train/validationTable.js';
import { watchStudent } from '../train/watch.js';
import { Workbench } from '../train/workbench.js';

export async function distill(stage: Stage, config: Config): Promise<StageResult> {
  const bench = await Workbench.open(stage, config, await storedVectors(stage, config));
  const setC = await openSetC(bench);
  const trainings: { model: PreRankerName; result: FitResult }[] = [];
  for (const model of trainedPreRankers(config)) {
    const result = await fit(await planOf(bench, model, setC), bench.fitContext);
    trainings.push({ model, result });
    const state = result.best[roles.model]!;
    await stage.write(`${model}.safetensors`, (path) => writeModel(path, state));
  }
  bench.endBatches();
  const student = trainings.at(-1)!.result.best[roles.model]!;
  const health = await writeCodebook(bench, student);
  await writeTrainingLog(
    stage,
    Object.fromEntries(trainings.map(({ model, result }) => [model, result.log])),
  );
  await writeValidationTable(stage, trainings);
  await writeMeasures(stage, trainings);
  const lines = trainings.map(({ model, result: { bestEpoch, epochs } }) => {
    const auc = bestEpoch?.validationAuc?.toFixed(4) ?? '–';
    return `${model}: validation AUC ${auc} at epoch ${bestEpoch?.epoch ?? 0} of ${epochs.at(-1)?.epoch ?? 0}`;
  });
  const measures = trainings.at(-1)!.result.bestEpoch?.measures ?? {};
  const behind = behindItsBaseline(trainings, config);
  for (const line of behind) stage.progress.note(line);
  return { lines: [...lines, ...behind, ...healthLines(health)], data: { models: lines, health, measures } };
}

/** Says so, and what to try, where the student is below its own two-tower on validation. */
function behindItsBaseline(
  trainings: readonly { readonly model: PreRankerName; readonly result: FitResult }[],
  config: Config,
): string[] {
  const [baseline, student] = [trainings[0]!, trainings.at(-1)!].map(
    ({ result }) => result.bestEpoch?.validationAuc ?? null,
  );
  if (baseline == null || student == null || student >= baseline) return [];
  const name = studentName(config);
  return [
    `WORSE: ${name} ${student.toFixed(4)} is below its own two-tower ${baseline.toFixed(4)} on validation; ${advice(config)}`,
  ];
}

/** Workers share every training. */
export async function helpToDistill(stage: Stage, config: Config): Promise<void> {
  const bench = await Workbench.open(stage, config, await storedVectors(stage, config));
  const setC = await openSetC(bench);
  for (const model of trainedPreRankers(config)) {
    await fit(await planOf(bench, model, setC), bench.fitContext);
  }
}

/** Verifies every file of set C: by the shard that each scores. They are read shard by shard, when a batch asks for them. */
async function openSetC({ stage, data }: Workbench): Promise<Record<string, string>> {
  const paths: Record<string, string> = {};
  for (const entry of data.index.b) paths[entry.file] = await stage.read('teacher', teacherFile(entry));
  return paths;
}

async function planOf(bench: Workbench, name: PreRankerName, setC: Record<string, string>): Promise<FitPlan> {
  const { config, data } = bench;
  const { epochs, patience } = config.distill;
  const losses = lossWeights(config.distill);
  const { model, needs } = preRanker(name, config, bench.frame);
  const isStudent = name === studentName(config);
  const usesB = losses.clickB > 0 || losses.tutor > 0;
  const isTarq = name === 'student_tarq';
  const takesVectors = isStudent && vectorLossesOf(config.distill).length > 0;
  const state = isStudent
    ? await bench.readModel('codebook', 'student.safetensors')
    : bench.newState(model.initial(bench.initialStream('pre_ranker')), 'pre_ranker');
  const teacher = takesVectors ? await bench.readModel('teacher', 'teacher.safetensors') : null;
  const joint = config.distill.teacher === 'joint';
  const { ranker, needs: teacherNeeds } = teacherModel(config, bench.frame);
  return {
    name,
    trained: { [roles.model]: state, ...(teacher && joint && { [roles.teacher]: teacher }) },
    frozen: { ...(teacher && !joint && { [roles.teacher]: teacher }) },
    loss: preRankerLoss({
      model,
      layout: data.layout,
      losses,
      usesB,
      ...(takesVectors && { teacher: { ranker, joint } }),
    }),
    ...(takesVectors && vectorLossShare(losses)),
    needs: { ...needs, matchCounts: needs.matchCounts || (takesVectors && teacherNeeds.matchCounts) },
    primary: { shape: bench.block('a'), split: 'train' },
    ...(usesB && { secondary: { shape: bench.block('b'), split: 'train', teacher: setC } }),
    epochs,
    epochsBefore: isTarq ? config.codebook.warmUp : 0,
    ...(isStudent && {
      measure: watchStudent(
        bench,
        { model, needs },
        teacher && { ranker, needs: teacherNeeds, state: teacher },
      ),
    }),
    ...(isStudent && !isTarq && { between: refits(bench) }),
    ...(isTarq && upkeepEvery(config.codebook) > 0 && { between: upkeep(bench) }),
    validation: { score: preRankerScores(model, data.layout, 'a'), shape: bench.block('a'), patience },
  };
}

/** Codes that are centres follow the embeddings while these move. */
function refits(bench: Workbench): NonNullable<FitPlan['between']> {
  const { config, data, device, codes: coder } = bench;
  const { student } = config.distill;
  if (student.kind === 'tarq') return internal('the codes of TARQ are trained, not fitted');
  const sample = distinctItems(
    data,
    drawItems(trainingItems(data), refitSample, bench.random('distill/refit')),
  );
  const encoder = new ItemEncoder(data, coder, device, { distances: true });
  return {
    everySteps: student.refitEvery,
    atEpochEnds: true,
    counts: [],
    run: async (models, step) => {
      await refitCodes(models[roles.model]!, step, coder, encoder, sample, student.refitIterations);
      return {};
    },
    encoder,
  };
}

/** Codes that are trained may be moving averages, and are restarted when nothing chooses them. */
function upkeep(bench: Workbench): NonNullable<FitPlan['between']> {
  const { config, data, device, codes: coder } = bench;
  const encoder = new ItemEncoder(data, coder, device);
  const parts = {
    codebook: config.codebook,
    coder,
    encoder,
    items: trainingItems(data),
    random: (name: string) => bench.random(`distill/${name}`),
  };
  return {
    everySteps: upkeepEvery(config.codebook),
    atEpochEnds: false,
    counts: ['restarts'],
    run: (models, step) => keepCodes(parts, models[roles.model]!, step),
    encoder,
  };
}

/** Items that a refit looks at, at most: what it costs is this times the codes. */
const refitSample = 8192;
