/**
 * A traced function run operation by operation on TensorFlow (`device: tensorflow`): the same inputs, outputs and promises as a
 * compiled graph. The graph is recorded all the same, since it tells the shapes of the outputs.
 */
import { tf } from '../tf.js';
import { internal } from '../../errors.js';
import type { CompiledGraph, Feeds, TensorData, TracedFunction } from '../compiledGraph.js';
import type { OnnxGraph } from '../onnx.js';
import { onTensorflow } from './tensorflow.js';
import type { DType } from '../trace/index.js';

export function eagerGraph(graph: OnnxGraph, fn: TracedFunction): CompiledGraph {
  const run = (feeds: Feeds, into: Readonly<Record<string, TensorData>>) => {
    const tensors: Record<string, tf.Tensor> = {};
    for (const { name, shape, type } of graph.inputs) {
      const data = feeds[name] ?? internal(`graph ${graph.name} is not fed ${name}`);
      tensors[name] = tf.tensor(data, [...shape], type as DType);
    }
    const outputs = fn(tensors);
    const data: Record<string, TensorData> = {};
    for (const [name, tensor] of Object.entries(outputs)) data[name] = read(tensor, into[name]);
    tf.dispose(Object.values(outputs)); // loss terms are kept beyond the gradient's scope, and so beyond ours
    return data;
  };
  return {
    graph,
    run: (feeds, into = {}) =>
      new Promise((resolve) => {
        resolve(onTensorflow(() => run(feeds, into)));
      }),
    release: () => Promise.resolve(),
  };
}

function read(tensor: tf.Tensor, into: TensorData | undefined): TensorData {
  const values = tensor.dataSync();
  if (!into) return values;
  into.set(values);
  return into;
}
