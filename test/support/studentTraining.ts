/** The TARQ student with a frozen teacher on both sets of the small test data: everything that a checkpoint must hold is in use. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lossWeights } from '../../src/config/lossWeights.js';
import type { EncodedData } from '../../src/data/encodedData.js';
import type { Device } from '../../src/engine/devices/device.js';
import { RandomStream } from '../../src/engine/random.js';
import { preRanker, teacherModel } from '../../src/models/registry.js';
import { silentProgress, type Progress } from '../../src/run/progress.js';
import { batchesInPlace } from '../../src/train/batches/batchMaker.js';
import type { FitContext, FitPlan } from '../../src/train/fitPlan.js';
import { preRankerLoss, preRankerScores, roles } from '../../src/train/objectives.js';
import { teacherScoresBytes } from '../../src/train/teacherScores.js';
import { blockOf, cpu, stateOf } from './models.js';
import { testConfig } from './trainingConfig.js';

const config = testConfig({
  training: {
    checkpoint_every_seconds: 0.0001,
    schedule: { kind: 'cosine', warm_up_steps: 2, final_share: 0.1 },
  },
  distill: {
    losses: {
      tutor: 0.5,
      click_b: 0.5,
      alignment_requests: 8,
      reconstruction: 1,
    },
  },
});

/** `workers`: how many share the blocks of a step. */
export function studentPlan(data: EncodedData, epochs: number, patience = 5, workers = 1): FitPlan {
  const frame = { layout: data.layout, baseLogit: -0.5 };
  const { model, needs } = preRanker('student_tarq', config, frame);
  const { ranker } = teacherModel(config, frame);
  return {
    name: 'student',
    trained: { [roles.model]: stateOf(data, model.initial(RandomStream.of(1, 'initial'))) },
    frozen: { [roles.teacher]: stateOf(data, ranker.initial(RandomStream.of(2, 'initial'))) },
    loss: preRankerLoss({
      model,
      layout: data.layout,
      losses: lossWeights(config.distill),
      usesB: true,
      teacher: { ranker, joint: false },
    }),
    needs,
    primary: { shape: blockOf(data, 'a', 8 / workers), split: 'train' },
    secondary: {
      shape: blockOf(data, 'b', 4 / workers),
      split: 'train',
      teacher: scoreFiles(data),
    },
    epochs,
    epochsBefore: 0.3,
    validation: { score: preRankerScores(model, data.layout, 'a'), shape: blockOf(data, 'a', 8), patience },
  };
}

/** Set C of the small test data: made-up scores, written beside its shards. */
function scoreFiles(data: EncodedData): Record<string, string> {
  const paths: Record<string, string> = {};
  for (const entry of data.index.b) {
    const path = join(data.opened.folder, `${entry.file}.teacher`);
    const { offsets } = data.shard(entry);
    const scores = {
      logit: RandomStream.of(3, 'teacher').normals(entry.candidates),
      rank: Int32Array.from({ length: entry.candidates }, (_, i) => 1 + (i % 4)),
    };
    writeFileSync(path, teacherScoresBytes(offsets, scores));
    paths[entry.file] = path;
  }
  return paths;
}

export const fitContext = (
  data: EncodedData,
  checkpointFolder: string,
  progress: Progress = silentProgress,
  device: Device = cpu,
): FitContext => ({
  data,
  batches: batchesInPlace(data),
  seed: 1,
  training: config.training,
  device,
  checkpointFolder,
  saveTo: checkpointFolder,
  progress,
  closeLater: () => undefined,
});

/** Progress that dies when the given step is reported, as a killed process would. */
export const dyingAt = (step: number): Progress => ({
  ...silentProgress,
  begin: () => ({
    update(done) {
      if (done === step) throw new Error('killed');
    },
    end: () => undefined,
  }),
});
