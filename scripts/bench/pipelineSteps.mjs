/**
 * The steps that are measured: the pipeline's own models, losses and optimiser through `TrainingStep`, over one made-up batch of 16
 * requests with 64 candidates and 100 behaviours each; embeddings and attention 64 wide, 4 heads, 3 levels of 64 codes.
 */
import { configSchema } from '../../dist/config/schema.js';
import { camelKeys } from '../../dist/config/config.js';
import { lossWeights } from '../../dist/config/lossWeights.js';
import { MemoryTable } from '../../dist/engine/tables/embeddings.js';
import { trainedModel } from '../../dist/engine/gradients.js';
import { makeOptimizer } from '../../dist/engine/optim/make.js';
import { RandomStream } from '../../dist/engine/random.js';
import { modelState } from '../../dist/engine/state.js';
import { TrainingStep } from '../../dist/engine/step.js';
import { oneWorker } from '../../dist/engine/workers/workers.js';
import { preRanker, teacherModel } from '../../dist/models/registry.js';
import { preRankerLoss, rankerLoss, roles } from '../../dist/train/objectives.js';

export const shapes = { requests: 16, candidates: 64, behaviours: 100, width: 64, heads: 4 };
const vocabulary = { items: 10_000, users: 1_000 };

/** Names of the steps, in the order in which they are printed. */
export const stepNames = ['tarq', 'teacher', 'two_tower'];

const config = camelKeys(
  configSchema.parse({
    run: 'bench',
    logs: { kind: 'simulate' },
    features: {
      width: shapes.width,
      user: [{ name: 'user', kind: 'id', column: 'users.user_id' }],
      item: [{ name: 'item', kind: 'id', column: 'items.item_id' }],
      sequence: ['item'],
    },
    towers: { user_hidden: [128], item_hidden: [128], width: 64 },
    codebook: { levels: 3, codes: 64, latent_width: 64 },
    teacher: { width: shapes.width, heads: shapes.heads, recency: false },
    distill: {
      student: {
        kind: 'tarq',
        width: shapes.width,
        heads: shapes.heads,
        recency: false,
        raw_cosine: 'off',
        match_counts: false,
      },
      teacher: 'joint',
      losses: { reconstruction: 1 },
    },
  }),
);

const group = (slots) => ({ slots, numbers: 0, slotPlaces: [], numberPlaces: [] });
const layout = {
  width: shapes.width,
  rows: vocabulary.items + vocabulary.users,
  user: group([1]),
  context: group([]),
  item: group([1]),
  shared: [0],
  sharedFields: [{ slot: 0, firstKnownRow: 0 }],
  behaviours: shapes.behaviours,
};

/** The batch as data/batches.ts lays it out: distinct items and distinct rows once, everything else points to them. */
export function makeBatch(requests = shapes.requests) {
  const { candidates, behaviours } = shapes;
  const stream = RandomStream.of(1, 'bench batch');
  const places = new Map();
  const place = (row) => places.get(row) ?? places.set(row, places.size).get(row);
  // Popularity falls off, so that an item occurs more than once in a batch, as in logs.
  const item = () => place(Math.floor(vocabulary.items * stream.uniform() ** 2));
  const int = (shape, value) => ({
    spec: { shape, dtype: 'int32' },
    data: Int32Array.from({ length: size(shape) }, value),
  });
  const float = (shape, value) => ({
    spec: { shape, dtype: 'float32' },
    data: Float32Array.from({ length: size(shape) }, value),
  });
  const lengths = Array.from({ length: requests }, () => 50 + stream.below(51));
  const tensors = {
    'a/candidates': int([requests, candidates], item),
    'a/behaviours': int([requests, behaviours], item),
    'a/behaviour_mask': float([requests, behaviours], (_, i) =>
      i % behaviours < lengths[Math.floor(i / behaviours)] ? 1 : 0,
    ),
    'a/candidate_mask': float([requests, candidates], (_, i) => (i % candidates < 60 ? 1 : 0)),
    'a/label': float([requests, candidates], () => (stream.uniform() < 0.1 ? 1 : 0)),
    'a/weight': float([requests, candidates], () => 1),
  };
  // An item has one feature, so its place among the items is that of its embedding row.
  tensors['items/slots'] = int([places.size, 1], (_, i) => i);
  tensors['a/user_slots'] = int([requests, 1], (_, i) => place(vocabulary.items + i));
  const rowIds = Int32Array.from(places.keys());
  return { rowIds, rowCount: rowIds.length, tensors };
}

/** A step and its state before the first step. `without`: names of passes that its graph does not go through; `workers` share it. */
export function makeStep(
  name,
  {
    threads = 1,
    without = [],
    workers = oneWorker,
    provider = 'cpu',
    deviceMegabytes = config.training.embeddings.deviceMegabytes,
    stepsPerRun = 1,
  } = {},
) {
  const optimizer = makeOptimizer(config.training.optimizer);
  const learningRate = () => config.training.optimizer.learningRate;
  const { ranker } = teacherModel(config, { layout, baseLogit: -2 });
  const student = (model) => preRanker(model, config, { layout, baseLogit: -2 }).model;
  const plans = {
    tarq: {
      models: { [roles.model]: student('student_tarq'), [roles.teacher]: ranker },
      loss: preRankerLoss({
        model: student('student_tarq'),
        layout,
        losses: lossWeights(config.distill),
        usesB: false,
        teacher: { ranker, joint: true },
      }),
    },
    teacher: { models: { [roles.teacher]: ranker }, loss: rankerLoss(ranker, layout, 'a') },
    two_tower: {
      models: { [roles.model]: student('two_tower') },
      loss: preRankerLoss({
        model: student('two_tower'),
        layout,
        losses: lossWeights(config.distill),
        usesB: false,
      }),
    },
  };
  const { models, loss } = plans[name];
  const states = Object.fromEntries(
    Object.entries(models).map(([role, model]) => [role, firstState(role, model)]),
  );
  const trained = Object.fromEntries(
    Object.entries(states).map(([role, state]) => [role, trainedModel(state, optimizer, learningRate)]),
  );
  const step = new TrainingStep({
    name,
    trained,
    frozen: {},
    loss,
    optimizer,
    learningRate,
    clipNorm: 0,
    device: { provider, threads },
    saveTo: '.',
    deviceTableBytes: deviceMegabytes * 2 ** 20,
    stepsPerRun,
    ...(without.includes('host_optimizer') && { optimizerOn: 'graph' }),
    withoutPasses: without,
    workers,
  });
  return { step, states };
}

/** First values, moved a little so that nothing is zero: gates and soft count start closed. */
function firstState(role, model) {
  const stream = RandomStream.of(2, role);
  const table = MemoryTable.random(layout.rows, layout.width, 0.3, stream);
  const state = modelState(model.initial(stream), table);
  state.vector.forEach((value, i) => (state.vector[i] = value + 0.02 * stream.normal()));
  return state;
}

/** Batch and states as tensors by name, for the other side: embedding tables are only the rows of the batch. */
export function storedStep(batch, states) {
  const stored = {};
  for (const [name, { spec, data }] of Object.entries(batch.tensors))
    stored[`batch:${name}`] = { shape: spec.shape, values: data };
  for (const [role, { layout: places, vector, table }] of Object.entries(states)) {
    const rows = new Float32Array(batch.rowCount * table.width);
    table.gather(batch.rowIds, batch.rowCount, rows);
    stored[`${role}:rows`] = { shape: [batch.rowCount, table.width], values: rows };
    for (const { name, shape } of places.entries) {
      stored[`${role}:${name}`] = { shape, values: places.view(vector, name).slice() };
    }
  }
  return stored;
}

const size = (shape) => shape.reduce((product, length) => product * length, 1);
