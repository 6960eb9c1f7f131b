/**
 * What both sides of the training bench read. A run of the pipeline (made once, reused by later calls) gives samples, fitted
 * features, first codes and a teacher; beside it lie first weights of the model and the order of the requests. A task is a JSON file:
 *   run, config (settings), model, epochs, threads, weights, teacher (tarq), order: int32 [epoch, request], work, block: requests, candidates
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../dist/config/load.js';
import { openEncodedData } from '../../dist/data/openEncodedData.js';
import { parseTransform } from '../../dist/data/features.js';
import { epochWindows } from '../../dist/data/requestOrder.js';
import { MemoryTable } from '../../dist/engine/tables/embeddings.js';
import { RandomStream } from '../../dist/engine/random.js';
import { writeModel } from '../../dist/engine/modelFile.js';
import { modelState } from '../../dist/engine/state.js';
import { preRanker } from '../../dist/models/registry.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Names of the trainings, in the order in which they are printed. */
export const trainedModels = ['two_tower', 'tangent', 'tarq'];

/** Settings of a training beside the quickstart's: users, the student, exposures alone, heads as torch_models.py has them. */
const settingsOf = (model, { set, threads, users }) => [
  `logs.users=${users}`,
  `distill.student.kind=${model === 'tarq' ? 'tarq' : 'tangent'}`,
  ...(model === 'tarq'
    ? ['distill.student.heads=4', 'distill.student.recency=false', 'distill.losses.reconstruction=1']
    : []),
  'distill.student.raw_cosine=off',
  'distill.student.match_counts=false',
  'teacher.heads=4',
  'teacher.recency=false',
  'distill.losses.tutor=0',
  `threads=${threads}`,
  ...set,
];

/** The path of the task of one training. */
export async function prepare(model, { run: parent, set, epochs, threads, users, work }) {
  const settings = settingsOf(model, { set, threads, users });
  const file = join(root, 'configs/quickstart.yaml');
  const run = resolve(parent, model === 'tarq' ? 'tarq' : 'tangent');
  const { config } = loadConfig({ file, sets: settings, run });
  const stages = ['logs', 'samples', 'codebook', ...(model === 'tarq' ? ['teacher'] : [])];
  for (const stage of stages) {
    const args = ['--config', file, '--run', run, ...settings.flatMap((setting) => ['--set', setting])];
    execFileSync(process.execPath, [join(root, 'bin/cascade.js'), stage, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  const transform = parseTransform(
    readFileSync(join(run, 'samples/transform.json'), 'utf8'),
    'transform.json',
  );
  const data = openEncodedData(join(run, 'samples/encoded/index.json'), transform, config.features.width);
  const candidates = data.maxCandidates('a');
  const requests = Math.floor(config.training.rowsPerStep / candidates);
  const task = {
    run,
    settings,
    model,
    epochs,
    threads,
    work,
    weights:
      model === 'two_tower'
        ? await firstWeights(config, data, join(work, 'two_tower.safetensors'))
        : join(run, 'codebook/student.safetensors'),
    ...(model === 'tarq' && { teacher: join(run, 'teacher/teacher.safetensors') }),
    order: writeOrder(config, data, epochs, join(work, `${model}.order`)),
    block: { set: 'a', requests, candidates },
    learning_rate: config.training.optimizer.learningRate,
    refit: { every: config.distill.student.refitEvery, iterations: config.distill.student.refitIterations },
  };
  const path = join(work, `${model}.json`);
  writeFileSync(path, JSON.stringify(task));
  return path;
}

async function firstWeights(config, { layout }, path) {
  if (existsSync(path)) return path;
  const stream = RandomStream.of(config.seed, 'initial/pre_ranker');
  const { model } = preRanker('two_tower', config, { layout, baseLogit: -1.5 });
  const table = MemoryTable.random(layout.rows, layout.width, config.features.initScale, stream);
  await writeModel(path, modelState(model.initial(stream), table));
  return path;
}

/** Requests of each epoch in training order, counted over the training files in order. */
function writeOrder({ seed }, data, epochs, path) {
  const entries = data.shards('a', 'train');
  const starts = entries.map((_, shard) =>
    entries.slice(0, shard).reduce((sum, { requests }) => sum + requests, 0),
  );
  const order = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const window of epochWindows(entries, 0, { seed, name: 'shuffle/a', epoch }))
      for (const { shard, row } of window) order.push(starts[shard] + row);
  }
  writeFileSync(path, Int32Array.from(order));
  return path;
}
