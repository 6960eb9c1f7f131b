/**
 * Models over histories longer than a chunk: a history scattered over many positions gives what the same behaviours side by side give,
 * and no step holds a number for each pair of candidate and behaviour.
 */
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { mostLiveNumbers } from '../../test/support/liveNumbers.js';
import { blockOf, cpu, eagerInputs, firstBatch, relativeError, stateOf } from '../../test/support/models.js';
import { studentConfig, testConfig } from '../../test/support/trainingConfig.js';
import type { Config } from '../config/config.js';
import { lossWeights } from '../config/lossWeights.js';
import type { EncodedData } from '../data/encodedData.js';
import { compile, type TensorData } from '../engine/compile.js';
import type { TracedFunction } from '../engine/compiledGraph.js';
import {
  recordGradients,
  trainedModel,
  withPrefix,
  type FeedBatch,
  type StepOptions,
} from '../engine/gradients.js';
import type { OnnxGraph } from '../engine/onnx.js';
import { makeOptimizer } from '../engine/optim/make.js';
import { optimise } from '../engine/passes/index.js';
import { shapesOf } from '../engine/passes/shapes.js';
import { RandomStream } from '../engine/random.js';
import type { ModelState } from '../engine/state.js';
import { trace, type TensorSpec } from '../engine/trace/index.js';
import { primedFactor } from '../layers/primed.js';
import { recencyBias } from '../layers/recency.js';
import { preRankerLoss, preRankerScores, rankerLoss, roles } from '../train/objectives.js';
import { preRanker, teacherModel, type PreRankerName } from './registry.js';

let data: EncodedData;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData();
});

interface Case {
  readonly config: Config;
  readonly name: PreRankerName | 'teacher';
}

const teacher = (changes: Record<string, unknown>): Case => ({
  name: 'teacher',
  config: testConfig({ teacher: changes }),
});
/** A frozen teacher has no place in the comparison of recency logits below: it is without them. */
const ageless = testConfig({ teacher: { recency: false } }).teacher;
const student = (kind: 'tarq' | 'prefix' | 'tangent', changes: Record<string, unknown>): Case => ({
  name: `student_${kind}`,
  config: { ...studentConfig(kind, changes, { reconstruction: 1 }), teacher: ageless },
});
const cases: Record<string, Case> = {
  teacher: teacher({ self_attention: false, match_counts: true }),
  'teacher without similarity': teacher({ self_attention: false, similarity_start: 0, soft_count: false }),
  'teacher with self-attention': teacher({}),
  DIN: teacher({ kind: 'din', width: 8, unit_hidden: 5, hidden: [9] }),
  TARQ: student('tarq', { straight_through: true, sequence: 'attention' }),
  tangent: student('tangent', { raw_cosine: 'recency', match_counts: true }),
  prefix: student('prefix', {}),
};

/** A model over histories of the data's length: first values, and its training step over given states. */
function open({ name, config }: Case, over: EncodedData) {
  const { layout } = over;
  const frame = { layout, baseLogit: -0.7 };
  const { ranker, needs: rankerNeeds } = teacherModel(config, frame);
  const named = name === 'teacher' ? null : preRanker(name, config, frame);
  const role = named ? roles.model : roles.teacher;
  const optimizer = makeOptimizer(config.training.optimizer);
  const losses = lossWeights(config.distill);
  const taught = name === 'student_tarq';
  const frozen = taught
    ? { [roles.teacher]: stateOf(over, ranker.initial(RandomStream.of(2, 'initial')), 5) }
    : {};
  const loss = named
    ? preRankerLoss({
        model: named.model,
        layout,
        losses,
        usesB: true,
        ...(taught && { teacher: { ranker, joint: false } }),
      })
    : rankerLoss(ranker, layout, 'b');
  const initial = (named?.model ?? ranker).initial(RandomStream.of(1, 'initial'));
  const step = (state: ModelState): StepOptions => ({
    name: 'test',
    trained: { [role]: trainedModel(state, optimizer, () => 1e-3) },
    frozen,
    loss,
    optimizer,
    learningRate: () => 1e-3,
    clipNorm: 0,
    device: cpu,
    saveTo: '/tmp',
  });
  return { named, role, initial, needs: named?.needs ?? rankerNeeds, frozen, step };
}

type Opened = ReturnType<typeof open>;

/** Loss and gradients by name. */
function gradientsOf(step: StepOptions, inputs: Readonly<Record<string, tf.Tensor>>) {
  const { loss, byModel } = recordGradients(step, inputs);
  return {
    loss,
    ...Object.fromEntries(
      byModel.flatMap(({ layout, dense, rows }) => [
        ...layout.entries.map(({ name }, i) => [name, dense[i]!] as const),
        ['rows', rows] as const,
      ]),
    ),
  } as Record<string, tf.Tensor>;
}

describe.each(Object.entries(cases))('%s', (_, model) => {
  it('sees the same in a history that is scattered over a long sequence, in loss, gradients and scores', async () => {
    const places = [0, 5, 300, 511, 700, 1023, 1050, 1099]; // on both sides of a chunk's end, each with a recency of its own
    const length = 1100;
    const short = open(model, data);
    const long = open(model, longData(length));
    const shortState = stateOf(data, short.initial);
    const longState = stateOf(data, long.initial);
    const numbered = { recency: tf.div(tf.range(0, 2000), primedFactor) };
    const ageGroups = recencyBias(numbered, length).dataSync().map(Math.round);
    const groups = places.map((place) => ageGroups[place]!);
    for (const { name } of longState.layout.entries) {
      const from = shortState.layout.view(shortState.vector, name);
      const to = longState.layout.view(longState.vector, name);
      if (!name.endsWith('recency')) to.set(from);
      else groups.forEach((group, age) => (to[group] = from[age]!));
    }
    const blocks = [blockOf(data, 'a', 3), blockOf(data, 'b', 3)];
    const batch = firstBatch(data, short.needs, blocks, true);
    const expected = await run(short, data, shortState, batch);
    for (const [name, found] of Object.entries(
      await run(long, longData(length), longState, scattered(batch, places, length)),
    )) {
      const values = name.endsWith('recency') ? groups.map((group) => found[group]!) : found;
      // In the gradient of the similarity's factor, terms of this size cancel.
      const floor = name.endsWith('log_similarity') ? 0.1 : 0.01;
      expect(relativeError(values, expected[name]!, floor), name).toBeLessThan(1e-5);
    }
  });

  it('holds no number for each pair of candidate and behaviour', () => {
    const [candidates, behaviours] = [101, 1031]; // primes
    for (const graph of graphsOf(model, candidates, behaviours)) {
      for (const shape of shapesOf(graph).values()) {
        const size = shape.reduce((product, count) => product * count, 1);
        const pairs = size > 0 && (size % (candidates * behaviours) === 0 || size % behaviours ** 2 === 0);
        expect(pairs, `an array of [${shape.join()}]`).toBe(false);
      }
    }
  });

  it('needs memory for candidates and for behaviours, and not for their product', () => {
    for (const perPair of numbersPerPair(model, 2048)) expect(perPair).toBeLessThan(0.5);
    expect(numbersPerPair(model, 128, 512)[0]).toBeGreaterThan(2); // at once there are several such arrays
  });
});

/** How the most numbers that are live at once grow with candidates x behaviours, per pair: what is left of it without what grows with one. */
function numbersPerPair(model: Case, behaviours: number, candidates = 64): number[] {
  const live = (more: number, longer: number) =>
    graphsOf(model, candidates * more, behaviours * longer).map(mostLiveNumbers);
  const [one, longer, more, both] = [live(1, 1), live(1, 2), live(2, 1), live(2, 2)];
  return one.map(
    (count, i) => (both[i]! - more[i]! - longer[i]! + count) / (requests * candidates * behaviours),
  );
}

const requests = 2;
const longData = memoized((behaviours: number) => testData({ behaviours }));

/** Specs of what a step is fed, and the functions that are compiled: the gradients, and a pre-ranker's scores by its three sides. */
function functionsOf(
  { named, role, frozen, step }: Opened,
  over: EncodedData,
  state: ModelState,
  batch: FeedBatch,
) {
  const specs: Record<string, TensorSpec> = {};
  for (const [name, { layout, table }] of Object.entries({ [role]: state, ...frozen })) {
    specs[`vector:${name}`] = { shape: [layout.size], dtype: 'float32' };
    specs[`rows:${name}`] = { shape: [batch.rowIds.length, table.width], dtype: 'float32' };
  }
  for (const [name, { spec }] of Object.entries(batch.tensors)) specs[`batch:${name}`] = spec;
  const training: TracedFunction = (tensors) => gradientsOf(step(state), tensors);
  const scoring: TracedFunction = (tensors) => {
    const parameters = state.layout.unpack(tensors[`vector:${role}`]!);
    const models = { [role]: { parameters, rows: tensors[`rows:${role}`] as tf.Tensor2D } };
    return preRankerScores(named!.model, over.layout, 'b')(models, withPrefix(tensors, 'batch:'));
  };
  return { specs, functions: named ? [training, scoring] : [training] };
}

async function run(opened: Opened, over: EncodedData, state: ModelState, batch: FeedBatch) {
  const { specs, functions } = functionsOf(opened, over, state, batch);
  const { inputs } = eagerInputs({ [opened.role]: state, ...opened.frozen }, batch);
  const feeds = Object.fromEntries(
    Object.keys(specs).map((name) => [name, inputs[name]!.dataSync() as Float32Array | Int32Array]),
  );
  const outputs: Record<string, TensorData> = {};
  for (const fn of functions) {
    const graph = await compile('test', specs, fn, cpu);
    Object.assign(outputs, await graph.run(feeds));
    await graph.release();
  }
  return outputs;
}

/** What a training step and, for a pre-ranker, its scoring are compiled from. */
function graphsOf(model: Case, candidates: number, behaviours: number): OnnxGraph[] {
  const over = longData(behaviours);
  const opened = open(model, over);
  const shape = (set: 'a' | 'b') => ({ set, requests, candidates });
  const batch = firstBatch(over, opened.needs, [shape('a'), shape('b')], true);
  const { specs, functions } = functionsOf(opened, over, stateOf(over, opened.initial), batch);
  return functions.map((fn) => optimise(trace('graph', specs, fn)));
}

/** The same histories with their behaviours at these places of a longer sequence, and padding between. */
function scattered(batch: FeedBatch, places: readonly number[], length: number): FeedBatch {
  const tensors = Object.entries(batch.tensors).map(([name, { spec, data }]) => {
    const isHistory =
      /behaviours|behaviour_mask|match_(values|counts)/.test(name) && !name.startsWith('items/');
    if (!isHistory) return [name, { spec, data }] as const;
    const isMatch = name.includes('match_'); // lists of values have no ages: they are padded at their end
    const short = spec.shape.at(-1)!;
    const lists = data.length / short;
    const longer = new (data.constructor as Int32ArrayConstructor)(lists * length).fill(
      name.endsWith('match_values') ? 2 ** 31 - 1 : 0,
    );
    data.forEach((value, i) => {
      const [list, age] = [Math.floor(i / short), i % short];
      longer[list * length + (isMatch ? age : places[age]!)] = value;
    });
    return [name, { spec: { ...spec, shape: [...spec.shape.slice(0, -1), length] }, data: longer }] as const;
  });
  return { ...batch, tensors: Object.fromEntries(tensors) };
}

function memoized<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => known.get(key) ?? known.set(key, make(key)).get(key)!;
}
