import type { Pass } from './pass.js';

/** A reshape of a reshape goes back to the first value; one that changes nothing is left out. */
export const reshapes: Pass = {
  name: 'reshapes',
  rewrite(node, graph) {
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
