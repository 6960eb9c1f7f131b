/** Our side of scripts/bench/train: `trainOurs.mjs <task>` (trainInputs.mjs) trains by the pipeline's own modules and prints figures as JSON. */
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { loadConfig } from '../../dist/config/load.js';
import { lossWeights } from '../../dist/config/lossWeights.js';
import { openEncodedData } from '../../dist/data/openEncodedData.js';
import { Encoder } from '../../dist/data/encode.js';
import { parseTransform } from '../../dist/data/features.js';
import { parquetSource } from '../../dist/data/parquet.js';
import { indexText } from '../../dist/data/shards.js';
import { readVocabularies } from '../../dist/data/vocabulary.js';
import { keepLittleMemory } from '../../dist/memory.js';
import { startEngine } from '../../dist/engine/compile.js';
import { RandomStream } from '../../dist/engine/random.js';
import { readModel, writeModel } from '../../dist/engine/modelFile.js';
import { preRanker, studentCodes, teacherModel } from '../../dist/models/registry.js';
import { silentProgress } from '../../dist/run/progress.js';
import { Stage } from '../../dist/run/stage.js';
import { encodeEntities, encodeSequences, encodeSet } from '../../dist/samples/encoding.js';
import { distinctItems, drawItems, refitCodes, trainingItems } from '../../dist/train/codeFitting.js';
import { openBatches, startBatchThread } from '../../dist/train/batches/batchThread.js';
import { fit } from '../../dist/train/fit.js';
import { ItemEncoder } from '../../dist/train/itemEncoding.js';
import { preRankerLoss, preRankerScores, roles } from '../../dist/train/objectives.js';

const task = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { run, model: name, block, epochs } = task;
const { config } = loadConfig({ file: join(run, 'config.yaml'), sets: task.settings, run });
const device = { provider: 'cpu', threads: task.threads };
/** Its own: a checkpoint of another round must not be found. */
const folder = mkdtempSync(join(task.work, 'ours-'));

/** The process ends with what it has open. */
function closeLater() {}

await keepLittleMemory(); // as every command does
const started = performance.now();
const thread = startBatchThread();
const data = await readSamples();
const batches = openBatches(data, thread);
await startEngine(device);
const read = performance.now();
const {
  best,
  log,
  epochs: reports,
  time,
} = await fit(await plan(), {
  data,
  batches,
  device,
  seed: config.seed,
  training: config.training,
  checkpointFolder: join(folder, 'checkpoint'),
  saveTo: folder,
  progress: silentProgress,
  closeLater,
});
await writeModel(join(task.work, `${name}-ours.safetensors`), best[roles.model]);
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
console.log(
  JSON.stringify({
    read_ms: read - started,
    train_ms: time.wallMs,
    engine_ms: time.engineMs,
    compile_ms: time.compileMs,
    between_ms: time.betweenMs,
    batch_ms: time.batchMs,
    validation_ms: time.validationMs,
    checkpoint_ms: time.checkpointMs,
    cpu_ms: (userCPUTime + systemCPUTime) / 1000,
    peak_mb: maxRSS / 1024,
    losses: log.loss,
    auc: reports.map(({ validationAuc }) => validationAuc),
  }),
);

/** The training and validation parts of set A, encoded from their Parquet files as the stage `samples` does. */
async function readSamples() {
  const stage = new Stage('samples', folder, config, silentProgress, new Map(), []);
  mkdirSync(stage.folder);
  const samples = join(run, 'samples');
  symlinkSync(join(samples, 'samples_a'), join(stage.folder, 'samples_a'));
  const transform = parseTransform(readFileSync(join(samples, 'transform.json'), 'utf8'), 'transform.json');
  const index = JSON.parse(readFileSync(join(samples, 'encoded/index.json'), 'utf8'));
  const parts = index.a
    .filter(({ split }) => split !== 'test')
    .map(({ file, max_candidates, ...part }) => ({
      ...part,
      name: basename(file, '.arrow'),
      maxCandidates: max_candidates,
    }));
  const tables = (table) => [join(run, 'logs', table, '*.parquet')];
  await stage.withDuckdb(async (db) => {
    const vocabularies = await readVocabularies(db, transform, [
      join(samples, 'vocabulary/part-00000.parquet'),
    ]);
    const encoder = new Encoder(transform, vocabularies);
    const users = await encodeEntities(stage, db, encoder, 'users', parquetSource(tables('users')));
    const items = await encodeEntities(stage, db, encoder, 'items', parquetSource(tables('items')));
    const behaviours = await encodeSequences(
      stage,
      db,
      join(samples, 'sequences/part-00000.parquet'),
      users,
      items,
    );
    const a = await encodeSet(stage, db, encoder, 'a', parts, tables('requests'), { users, items });
    const sizes = { users: users.count, items: items.count, behaviours };
    await stage.write('encoded/index.json', (temporary) =>
      writeFile(temporary, indexText({ ...sizes, a, b: [] })),
    );
  });
  return openEncodedData(join(stage.folder, 'encoded/index.json'), transform, config.features.width);
}

/** As stages/distill.ts plans it, on set A alone. */
async function plan() {
  const frame = { layout: data.layout, baseLogit: 0 };
  const { model, needs } = preRanker(name === 'two_tower' ? name : `student_${name}`, config, frame);
  const { ranker } = teacherModel(config, frame);
  return {
    name,
    trained: { [roles.model]: await readModel(task.weights, closeLater) },
    frozen: { ...(task.teacher && { [roles.teacher]: await readModel(task.teacher, closeLater) }) },
    loss: preRankerLoss({
      model,
      layout: data.layout,
      losses: lossWeights(config.distill),
      usesB: false,
      ...(task.teacher && { teacher: { ranker, joint: false } }),
    }),
    needs,
    primary: { shape: block, split: 'train' },
    epochs,
    ...(name === 'tangent' && { between: refits(frame) }),
    validation: { score: preRankerScores(model, data.layout, 'a'), shape: block, patience: epochs },
  };
}

function refits(frame) {
  const coder = studentCodes(config, frame);
  const stream = RandomStream.of(config.seed, 'distill/refit');
  const sample = distinctItems(data, drawItems(trainingItems(data), 8192, stream));
  const encoder = new ItemEncoder(data, coder, device, { distances: true });
  return {
    everySteps: task.refit.every,
    atEpochEnds: true,
    counts: [],
    run: async (models, step) => {
      await refitCodes(models[roles.model], step, coder, encoder, sample, task.refit.iterations);
      return {};
    },
    encoder,
  };
}
