/**
 * The stages of a pipeline in their order: what each reads and which settings its outputs depend on. The code of a stage is loaded
 * when it runs. A setting that no stage names here changes no output: threads, memory, time between checkpoints.
 */
import type { Config } from '../config/config.js';
import type { StageDefinition } from '../run/stage.js';

const logs: StageDefinition = {
  name: 'logs',
  version: 1,
  reads: () => [],
  // Not where the raw files lie: their content is hashed.
  settings: ({ logs }) => ({ logs: 'source' in logs ? without(logs, 'source') : logs }),
  sources: async ({ logs }) => (await import('../logs/sources.js')).rawFiles(logs),
  work: async (stage, config) => (await import('./logs.js')).writeLogs(stage, config),
};

const samples: StageDefinition = {
  name: 'samples',
  version: 2,
  reads: () => ['logs'],
  // Embeddings belong to the models.
  settings: ({ samples, features }) => ({ samples, features: without(features, 'initScale', 'width') }),
  work: async (stage, config) => (await import('./samples.js')).buildSamples(stage, config),
};

const codebook: StageDefinition = {
  name: 'codebook',
  version: 3,
  reads: () => ['samples'],
  settings: (config) => ({
    ...training(config),
    codebook: codebookOf(config),
    distill: { student: config.distill.student }, // the warm-up trains the student's own towers
  }),
  sources: async ({ codebook }) =>
    codebook.itemVectors ? (await import('../logs/sources.js')).vectorFiles(codebook) : [],
  work: async (stage, config) => (await import('./codebook.js')).trainCodebook(stage, config),
  help: async (stage, config) => (await import('./codebook.js')).helpWithCodebook(stage, config),
};

const teacher: StageDefinition = {
  name: 'teacher',
  version: 2,
  reads: (config) => (isLogged(config) ? ['logs', 'samples'] : ['samples']),
  settings: (config) =>
    isLogged(config) ? { distill: loggedTeacher(config) } : { ...training(config), teacher: config.teacher },
  work: async (stage, config) =>
    isLogged(config)
      ? (await import('./loggedTeacher.js')).takeLoggedScores(stage, config)
      : (await import('./teacher.js')).trainTeacher(stage, config),
  help: async (stage, config) => {
    if (!isLogged(config)) await (await import('./teacher.js')).helpWithTeacher(stage, config);
  },
};

const distill: StageDefinition = {
  name: 'distill',
  version: 4,
  reads: () => ['samples', 'codebook', 'teacher'],
  settings: (config) => ({
    ...training(config),
    codebook: codebookOf(config),
    // The scores of a logged teacher are in its files, and so is what a trained one has learned.
    ...(!isLogged(config) && { teacher: without(config.teacher, 'epochs', 'patience', 'bEpochs', 'gate') }),
    distill: without(config.distill, 'loggedScores'),
  }),
  work: async (stage, config) => (await import('./distill.js')).distill(stage, config),
  help: async (stage, config) => (await import('./distill.js')).helpToDistill(stage, config),
};

const evaluation: StageDefinition = {
  name: 'eval',
  version: 1,
  reads: () => ['logs', 'samples', 'codebook', 'teacher', 'distill'],
  settings: (config) => ({
    device: config.device,
    eval: config.eval,
    distill: {
      student: { kind: config.distill.student.kind },
      ...(isLogged(config) && { teacher: config.distill.teacher }),
    },
  }),
  work: async (stage, config) => (await import('./evaluate.js')).evaluate(stage, config),
};

export const stages: readonly StageDefinition[] = [logs, samples, codebook, teacher, distill, evaluation];

/** Whether the teacher is the ranker of the logs, by the scores that it left there. */
const isLogged = ({ distill }: Config) => distill.teacher === 'logged';

const loggedTeacher = ({ distill: { teacher, loggedScores } }: Config) => ({ teacher, loggedScores });

/** The settings that every trained weight depends on. */
function training({ device, features: { initScale, width }, towers, training }: Config) {
  return {
    device,
    features: { initScale, width },
    training: {
      ...without(training, 'checkpointEverySeconds', 'stepsPerRun'), // the latter: rounding at most
      embeddings: { kind: training.embeddings.kind }, // first values differ; where rows lie changes rounding at most
    },
    towers,
  };
}

/** Not where the user's vectors lie: their content is hashed. */
function codebookOf({ codebook }: Config) {
  const { itemVectors } = codebook;
  return itemVectors ? { ...codebook, itemVectors: without(itemVectors, 'path') } : codebook;
}

function without<T extends object, K extends keyof T & string>(settings: T, ...keys: K[]): Omit<T, K> {
  const kept = Object.entries(settings).filter(([key]) => !keys.some((other) => other === key));
  return Object.fromEntries(kept) as Omit<T, K>; // what the type says is what the filter does
}
