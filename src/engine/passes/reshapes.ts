import type { OnnxNode } from '../onnx.js';
import type { Pass, Rewriting } from './pass.js';

/**
 * A reshape of a reshape goes back to the first value, and one that changes nothing is left out. A sum or product of two values that
 * were reshaped alike is reshaped itself: the gradients of maps of one sequence meet as the products they are (gemm_sums).
 */
export const reshapes: Pass = {
  name: 'reshapes',
  rewrite(node, graph) {
    if (['Add', 'Sub', 'Mul', 'Div'].includes(node.op)) return afterwards(node, graph);
    if (node.op !== 'Reshape') return false;
    const [value, target] = node.inputs as [string, string];
    const before = graph.producer(value);
    const source = before?.op === 'Reshape' ? before.inputs[0]! : value;
    const shape = graph.shape(node.outputs[0]!);
    if (graph.shape(source).join() === shape.join()) {
      graph.replace(node.outputs[0]!, source);
      return true;
    }
    if (source === value) return false;
    graph.replace(node.outputs[0]!, graph.emit('Reshape', [source, target], shape));
    return true;
  },
};

function afterwards({ op, inputs, outputs }: OnnxNode, graph: Rewriting): boolean {
  const [a, b] = inputs.map((value) => graph.producer(value));
  if (a?.op !== 'Reshape' || b?.op !== 'Reshape') return false;
  const sources = [a.inputs[0]!, b.inputs[0]!] as const;
  const [from, to] = [graph.shape(sources[0]), graph.shape(outputs[0]!)];
  const alike =
    graph.shape(sources[1]).join() === from.join() &&
    inputs.every((value) => graph.shape(value).join() === to.join());
  if (!alike) return false;
  const result = graph.emit(op, sources, from);
  graph.replace(outputs[0]!, graph.emit('Reshape', [result, graph.integers(to)], to));
  return true;
}
