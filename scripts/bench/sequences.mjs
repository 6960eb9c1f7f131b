/**
 * What a training step costs as the history grows: a step of the pipeline's own models over one made-up batch of 16 requests with 64
 * candidates, embeddings and attention 32 wide, one thread, students without a teacher. Milliseconds are processor time, the median of
 * some steps. Every line is a process of its own, so that its peak memory is its own: what the step adds to it is told apart.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { camelKeys } from '../../dist/config/config.js';
import { lossWeights } from '../../dist/config/lossWeights.js';
import { configSchema } from '../../dist/config/schema.js';
import { MemoryTable } from '../../dist/engine/tables/embeddings.js';
import { trainedModel } from '../../dist/engine/gradients.js';
import { makeOptimizer } from '../../dist/engine/optim/make.js';
import { RandomStream } from '../../dist/engine/random.js';
import { modelState } from '../../dist/engine/state.js';
import { TrainingStep } from '../../dist/engine/step.js';
import { preRanker, teacherModel } from '../../dist/models/registry.js';
import { preRankerLoss, rankerLoss, roles } from '../../dist/train/objectives.js';

const list = (text) => text.split(',');
const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    models: {
      type: 'string',
      default: 'two_tower_cosine_recency,match_count,teacher,din,student_tangent,student_prefix,student_tarq',
    },
    lengths: { type: 'string', default: '100,1000,10000' },
    steps: { type: 'string', default: '3' },
    requests: { type: 'string', default: '16' },
    candidates: { type: 'string', default: '64' },
    'self-attention': { type: 'boolean', default: false },
    one: { type: 'boolean' },
  },
});
const requests = Number(flags.requests);
const candidates = Number(flags.candidates);
const width = 32;
const items = 200_000;

/** A step of a model, with histories of this length. */
function stepOf(name, behaviours) {
  const isDin = name === 'din';
  const kind = /^student_(.*)$/.exec(name)?.[1] ?? 'tangent';
  const config = camelKeys(
    configSchema.parse({
      run: 'bench',
      logs: { kind: 'simulate' },
      features: {
        width,
        user: [{ name: 'user', kind: 'id', column: 'users.user_id' }],
        item: [{ name: 'item', kind: 'id', column: 'items.item_id' }],
        sequence: ['item'],
      },
      towers: { user_hidden: [64], item_hidden: [64], width: 32 },
      teacher: isDin ? { kind: 'din' } : { width: 32, heads: 2, self_attention: flags['self-attention'] },
      distill: { student: { kind, raw_cosine: 'off', match_counts: false } },
    }),
  );
  const group = (slots) => ({ slots, numbers: 0, slotPlaces: [], numberPlaces: [] });
  const layout = {
    width,
    rows: items + requests,
    user: group([1]),
    context: group([]),
    item: group([1]),
    shared: [0],
    sharedFields: [{ slot: 0, firstKnownRow: 0 }],
    behaviours,
  };
  const frame = { layout, baseLogit: -2 };
  const isTeacher = name === 'teacher' || isDin;
  const teacher = isTeacher ? teacherModel(config, frame) : null;
  const model = teacher?.ranker ?? preRanker(name, config, frame).model;
  const role = teacher ? roles.teacher : roles.model;
  const loss = teacher
    ? rankerLoss(teacher.ranker, layout, 'a')
    : preRankerLoss({ model, layout, losses: lossWeights(config.distill), usesB: false });
  const stream = RandomStream.of(2, 'state');
  const state = modelState(model.initial(stream), MemoryTable.random(layout.rows, width, 0.3, stream));
  state.vector.forEach((value, i) => (state.vector[i] = value + 0.02 * stream.normal()));
  const optimizer = makeOptimizer(config.training.optimizer);
  const learningRate = () => config.training.optimizer.learningRate;
  return new TrainingStep({
    name,
    trained: { [role]: trainedModel(state, optimizer, learningRate) },
    frozen: {},
    loss,
    optimizer,
    learningRate,
    clipNorm: 0,
    device: { provider: 'cpu', threads: 1 },
    saveTo: '.',
  });
}

function batchOf(behaviours) {
  const stream = RandomStream.of(1, 'bench batch');
  const places = new Map();
  const place = (row) => places.get(row) ?? places.set(row, places.size).get(row);
  const item = () => place(Math.floor(items * stream.uniform() ** 2));
  const size = (shape) => shape.reduce((product, length) => product * length, 1);
  const array = (dtype, shape, value) => ({
    spec: { shape, dtype },
    data: (dtype === 'int32' ? Int32Array : Float32Array).from({ length: size(shape) }, value),
  });
  const pairs = [requests, candidates];
  const history = [requests, behaviours];
  const match = [requests, 1, behaviours];
  const lengths = Array.from({ length: requests }, () =>
    Math.ceil(behaviours * (0.5 + 0.5 * stream.uniform())),
  );
  const tensors = {
    'a/candidates': array('int32', pairs, item),
    'a/behaviours': array('int32', history, item),
    'a/behaviour_mask': array('float32', history, (_, i) =>
      i % behaviours < lengths[Math.floor(i / behaviours)] ? 1 : 0,
    ),
    'a/match_values': array('int32', match, (_, i) => 2 * (i % behaviours)),
    'a/match_counts': array('float32', match, () => 1),
    'a/candidate_mask': array('float32', pairs, () => 1),
    'a/label': array('float32', pairs, () => (stream.uniform() < 0.1 ? 1 : 0)),
    'a/weight': array('float32', pairs, () => 1),
  };
  tensors['items/slots'] = array('int32', [places.size, 1], (_, i) => i);
  tensors['items/match_values'] = array('int32', [places.size, 1], (_, i) => i);
  tensors['a/user_slots'] = array('int32', [requests, 1], (_, i) => place(items + i));
  const rowIds = Int32Array.from(places.keys());
  return { rowIds, rowCount: rowIds.length, tensors };
}

async function measureOne(name, behaviours) {
  const step = stepOf(name, behaviours);
  const batch = batchOf(behaviours);
  const before = process.memoryUsage().rss;
  const started = performance.now();
  const { graph } = await step.compileFor(batch);
  const compileMs = performance.now() - started;
  await step.take(batch, 1);
  const ms = [];
  for (let i = 0; i < Number(flags.steps); i++) {
    const start = process.cpuUsage();
    await step.take(batch, i + 2);
    const { user, system } = process.cpuUsage(start);
    ms.push((user + system) / 1000);
  }
  const peak = process.resourceUsage().maxRSS * 1024;
  return {
    model: name,
    behaviours,
    stepMs: ms.toSorted((a, b) => a - b)[Math.floor(ms.length / 2)],
    compileMs,
    nodes: graph.nodes.length,
    peakMb: peak / 2 ** 20,
    stepMb: (peak - before) / 2 ** 20,
  };
}

if (flags.one) {
  const result = await measureOne(flags.models, Number(flags.lengths));
  console.log(JSON.stringify(result));
  process.exit(0);
}
const results = [];
for (const model of list(flags.models)) {
  for (const length of list(flags.lengths)) {
    const args = [...process.argv.slice(2), '--one', '--models', model, '--lengths', length];
    const out = execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'], // an error tells what the process wrote
    });
    const result = JSON.parse(out.trim().split('\n').at(-1));
    results.push(result);
    if (flags.json) continue;
    const { behaviours, stepMs, compileMs, nodes, peakMb, stepMb } = result;
    console.log(
      `${model.padEnd(24)} n ${String(behaviours).padStart(6)}  step ${stepMs.toFixed(0).padStart(6)} ms  ` +
        `compile ${compileMs.toFixed(0).padStart(6)} ms  ${String(nodes).padStart(5)} nodes  peak ${peakMb.toFixed(0)} MB, of it the step ${stepMb.toFixed(0)} MB`,
    );
  }
}
if (flags.json) console.log(JSON.stringify(results));
