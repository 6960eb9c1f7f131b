/**
 * A small joint step of the TARQ student on a device: whether its gradients are those of tfjs's own eager CPU backend, an
 * implementation that shares no kernel with ours, and how fast it runs. Data are made up; no config and no files are needed.
 */
import { lossWeights } from '../config/lossWeights.js';
import { tf } from '../engine/tf.js';
import { camelKeys } from '../config/config.js';
import { configSchema } from '../config/schema.js';
import { compile, type Feeds, type Specs } from '../engine/compile.js';
import type { Device } from '../engine/devices/device.js';
import { relativeError } from '../engine/devices/deviceCheck.js';
import { MemoryTable } from '../engine/tables/embeddings.js';
import {
  recordGradients,
  trainedModel,
  type BatchTensors,
  type FeedBatch,
  type LossFunction,
  type StepOptions,
} from '../engine/gradients.js';
import { makeOptimizer } from '../engine/optim/make.js';
import { placement, type Placement } from '../engine/devices/placement.js';
import { RandomStream } from '../engine/random.js';
import { modelState } from '../engine/state.js';
import { TrainingStep } from '../engine/step.js';
import { internal } from '../errors.js';
import { clickLoss } from '../losses/click.js';
import { tarqTerm } from '../models/tarq.js';
import { stepsPerRun } from './budget.js';

export interface SelfTest {
  /** Largest error of a gradient, relative to the largest gradient. */
  readonly gradientError: number;
  readonly passed: boolean;
  readonly stepsPerSecond: number;
  /** Between host memory and the device's; none on the processor. */
  readonly bytesPerStep: number;
  /** How many of the step's nodes fall back to the processor; null where it does not run as a graph. */
  readonly placement: Placement | null;
}

/** Sizes of a step. */
interface Sizes {
  readonly requests: number;
  readonly candidates: number;
  readonly behaviours: number;
  readonly items: number;
  readonly width: number;
}

/** Small for the eager reference; the other as a first pipeline has it. */
const paritySizes: Sizes = { requests: 4, candidates: 8, behaviours: 12, items: 60, width: 16 };
const rateSizes: Sizes = { requests: 16, candidates: 32, behaviours: 50, items: 1000, width: 32 };

/** Float32 rounding through the step is near 1e-6; a wrong kernel is near 1. */
const tolerance = 1e-3;

export async function selfTest(device: Device): Promise<SelfTest> {
  const { options, batch } = smallStep(paritySizes, device);
  const inputs = inputsOf(options, batch);
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, data]));
  const graph = await compile('self-test', specsOf(inputs), (tensors) => gradients(options, tensors), device);
  const actual = await graph.run(feeds);
  await graph.release();
  const expected = eagerGradients(options, inputs);
  const names = Object.keys(expected);
  const gradientError = relativeError(
    names.flatMap((name) => Array.from(actual[name]!)),
    names.flatMap((name) => Array.from(expected[name]!)),
  );
  return {
    gradientError,
    passed: gradientError < tolerance,
    ...(await rate(device)),
    placement: device.provider === 'tensorflow' ? null : await placement(graph.graph, feeds, device),
  };
}

/** Steps of a pipeline's size, for about a second after the first. */
async function rate(device: Device): Promise<Pick<SelfTest, 'stepsPerSecond' | 'bytesPerStep'>> {
  const { options, batch } = smallStep(rateSizes, device);
  const step = new TrainingStep(options);
  const run = Array<FeedBatch>(step.stepsPerRun).fill(batch);
  await step.takeRun(run, 1); // compiles
  const start = performance.now();
  let steps = 0;
  let bytesPerStep: number;
  do {
    const [report] = await step.takeRun(run, run.length + steps + 1);
    bytesPerStep = device.provider === 'cpu' ? 0 : report!.bytesMoved;
    steps += run.length;
  } while (performance.now() - start < 1000);
  const seconds = (performance.now() - start) / 1000;
  await step.release();
  return { stepsPerSecond: steps / seconds, bytesPerStep };
}

// -------------------------------------------------------------------------------------------------------- the two sides

const gradients = (options: StepOptions, tensors: BatchTensors): Record<string, tf.Tensor> =>
  Object.fromEntries(
    recordGradients(options, tensors).byModel.flatMap(({ name, layout, dense, rows }) => [
      [`vector:${name}`, layout.pack(dense)],
      [`rows:${name}`, rows],
    ]),
  );

function eagerGradients(options: StepOptions, inputs: Inputs): Feeds {
  const previous = tf.getBackend();
  void tf.setBackend('cpu'); // starts synchronously
  try {
    return tf.tidy(() => {
      const tensors = Object.entries(inputs).map(
        ([name, { spec, data }]) => [name, tf.tensor(data, [...spec.shape], spec.dtype)] as const,
      );
      const outputs = gradients(options, Object.fromEntries(tensors));
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.dataSync()]));
    }); // tidy's type wants tensors; arrays pass through it
  } finally {
    if (previous) void tf.setBackend(previous);
  }
}

type Inputs = FeedBatch['tensors'];

/** Everything a step reads, under the names of its inputs. */
function inputsOf({ trained }: StepOptions, { rowIds, tensors }: FeedBatch): Inputs {
  const inputs: Record<string, Inputs[string]> = {};
  for (const [name, { state }] of Object.entries(trained)) {
    const { vector, layout, table } = state;
    const rows = new Float32Array(rowIds.length * table.width);
    table.gather(rowIds, rowIds.length, rows);
    inputs[`vector:${name}`] = { spec: { shape: [layout.size], dtype: 'float32' }, data: vector };
    inputs[`rows:${name}`] = {
      spec: { shape: [rowIds.length, table.width], dtype: 'float32' },
      data: rows,
    };
  }
  for (const [name, tensor] of Object.entries(tensors)) inputs[`batch:${name}`] = tensor;
  return inputs;
}

const specsOf = (inputs: Inputs): Specs =>
  Object.fromEntries(Object.entries(inputs).map(([name, { spec }]) => [name, spec]));

// ------------------------------------------------------------------------------------------------------------- the step

/** The TARQ term alone: it holds every kind of operation that the pipeline's models have. */
function smallStep(sizes: Sizes, device: Device): { options: StepOptions; batch: FeedBatch } {
  const { requests, candidates, behaviours, items, width } = sizes;
  const stream = RandomStream.of(1, 'self-test');
  const { student, codebook, losses } = settings();
  const model = tarqTerm({
    student: { ...student, width },
    codebook,
    dimensions: { user: 0, context: 0, item: width, shared: width, coded: width, fields: 1, behaviours },
    projectionHidden: width,
    losses: { ...losses, alignmentRequests: requests },
  });
  const loss: LossFunction = ({ model: traced }, batch) => {
    const look = (ids: tf.Tensor) => tf.gather<tf.Tensor>(traced!.rows, ids) as tf.Tensor3D;
    const item = look(batch.candidates!);
    const mask = batch.mask as tf.Tensor2D;
    const none = tf.zeros<tf.Rank.R2>([requests, 1]);
    const { logits, terms } = model.trainScore!(
      {
        user: none,
        context: none,
        sequence: { x: look(batch.behaviours!), mask: batch.behaviour_mask as tf.Tensor2D },
        item: { x: item, shared: item },
        mask,
      },
      traced!.parameters,
      { teacherVector: batch.teacher as tf.Tensor3D, mask },
    );
    return {
      click: { value: clickLoss(logits, batch.label as tf.Tensor2D, mask, mask), weight: 1 },
      ...Object.fromEntries(Object.entries(terms).map(([name, value]) => [name, { value, weight: 0.1 }])),
    };
  };
  const optimizer = makeOptimizer({
    kind: 'adam',
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
  });
  const state = modelState(model.initial(stream), MemoryTable.random(items, width, 0.3, stream));
  const options: StepOptions = {
    name: 'self-test',
    trained: { model: trainedModel(state, optimizer, () => 1e-3) },
    frozen: {},
    loss,
    optimizer,
    learningRate: () => 1e-3,
    clipNorm: 1,
    device,
    deviceTableBytes: 2 ** 30, // the default of training.embeddings.device_megabytes
    stepsPerRun: stepsPerRun({ stepsPerRun: 0 }, device), // that of training.steps_per_run
    saveTo: '.',
  };
  const float = (shape: readonly number[], draw: () => number) => ({
    spec: { shape, dtype: 'float32' as const },
    data: Float32Array.from({ length: shape.reduce((product, length) => product * length, 1) }, draw),
  });
  const ids = (shape: readonly [number, number]) => ({
    spec: { shape, dtype: 'int32' as const },
    data: Int32Array.from({ length: shape[0] * shape[1] }, () => stream.below(items)),
  });
  const batch: FeedBatch = {
    rowIds: Int32Array.from({ length: items }, (_, row) => row),
    rowCount: items,
    tensors: {
      candidates: ids([requests, candidates]),
      behaviours: ids([requests, behaviours]),
      mask: float([requests, candidates], () => 1),
      behaviour_mask: float([requests, behaviours], () => (stream.uniform() < 0.8 ? 1 : 0)),
      label: float([requests, candidates], () => (stream.uniform() < 0.2 ? 1 : 0)),
      teacher: float([requests, candidates, width], () => stream.normal()),
    },
  };
  return { options, batch };
}

/** The settings that TARQ has where a config says nothing about it. */
function settings() {
  const { codebook, distill } = camelKeys(
    configSchema.parse({
      logs: { kind: 'simulate' },
      features: {
        user: [{ name: 'user_id', kind: 'id', column: 'requests.user_id' }],
        item: [{ name: 'item_id', kind: 'id', column: 'items.item_id' }],
        sequence: ['item_id'],
      },
      distill: { student: { kind: 'tarq' } },
    }),
  );
  const { student } = distill;
  if (student.kind !== 'tarq') return internal('a TARQ student was asked for');
  return { student, codebook, losses: lossWeights(distill) };
}
