/** Every pass of the engine on the whole training step of the student: what it does to the graph, and that the numbers stay. */
import { tf } from '../engine/tf.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { blockOf, cpu, eagerInputs, firstBatch, relativeError, stateOf } from '../../test/support/models.js';
import { testConfig } from '../../test/support/trainingConfig.js';
import { lossWeights } from '../config/lossWeights.js';
import type { Feeds, TensorData } from '../engine/compile.js';
import { trainedModel, type StepOptions } from '../engine/gradients.js';
import type { CompiledGraph } from '../engine/compiledGraph.js';
import { makeOptimizer } from '../engine/optim/make.js';
import { passes } from '../engine/passes/index.js';
import { shapesOf } from '../engine/passes/shapes.js';
import { RandomStream } from '../engine/random.js';
import { TrainingStep } from '../engine/step.js';
import { preRankerLoss, roles } from '../train/objectives.js';
import { preRanker, teacherModel } from './registry.js';

const names = passes.map(({ name }) => name);
let withAll: CompiledGraph;
let expected: Record<string, TensorData>;
let feeds: Feeds;
let compiled: (withoutPasses: readonly string[]) => Promise<CompiledGraph>;

beforeAll(async () => {
  await tf.setBackend('cpu');
  const data = testData();
  const frame = { layout: data.layout, baseLogit: -0.7 };
  const config = testConfig({
    distill: {
      losses: { click_b: 0.5, tutor: 0.7, alignment: 0.3, alignment_attached: true, reconstruction: 0.9 },
    },
  });
  const { model } = preRanker('student_tarq', config, frame);
  const { ranker } = teacherModel(config, frame);
  const optimizer = makeOptimizer(config.training.optimizer);
  const states = {
    [roles.model]: stateOf(data, model.initial(RandomStream.of(1, 'initial'))),
    [roles.teacher]: stateOf(data, ranker.initial(RandomStream.of(2, 'initial')), 5),
  };
  const options: StepOptions = {
    name: 'test',
    trained: Object.fromEntries(
      Object.entries(states).map(([role, state]) => [role, trainedModel(state, optimizer, () => 1e-3)]),
    ),
    frozen: {},
    loss: preRankerLoss({
      model,
      layout: data.layout,
      losses: lossWeights(config.distill),
      usesB: true,
      teacher: { ranker, joint: true },
    }),
    optimizer,
    learningRate: () => 1e-3,
    clipNorm: 0,
    device: cpu,
    saveTo: '/tmp',
  };
  const blocks = [blockOf(data, 'a', 8), blockOf(data, 'b', 4)];
  const batch = firstBatch(data, { matchCounts: false }, blocks, true);
  const { inputs } = eagerInputs(states, batch);
  feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => [name, tensor.dataSync<'float32' | 'int32'>()]),
  );
  compiled = (withoutPasses) => new TrainingStep({ ...options, withoutPasses }).compileFor(batch);
  withAll = await compiled([]);
  expected = await outputsOf(withAll);
});

afterAll(() => withAll.release());

const outputsOf = (graph: CompiledGraph) => graph.run(feeds);

/** How many numbers each operation gives. */
function operations({ graph }: CompiledGraph): Record<string, number> {
  const shapes = shapesOf(graph);
  const counts: Record<string, number> = {};
  for (const { op, outputs } of graph.nodes) {
    const numbers = outputs.map((name) => shapes.get(name)!.reduce((product, length) => product * length, 1));
    counts[op] = numbers.reduce((sum, count) => sum + count, counts[op] ?? 0);
  }
  return counts;
}

describe("the student's step with every loss term and gradient", () => {
  it('has the outputs that are compared', () => {
    expect(Object.keys(expected).filter((name) => name.startsWith('term:'))).toHaveLength(11);
    expect(Object.keys(expected).filter((name) => name.startsWith('gradient:'))).toHaveLength(4);
  });

  it.each([...names.map((name) => [name]), names])('is the same without %s', async (...without) => {
    const graph = await compiled(without);
    expect(operations(graph)).not.toEqual(operations(withAll));
    const actual = await outputsOf(graph);
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, values] of Object.entries(expected)) {
      expect(relativeError(actual[name]!, values), name).toBeLessThan(2e-6);
    }
    await graph.release();
  });
});
