import type { Pass } from './pass.js';

/** The sum of all squares is one operation. Sums of rows are left alone: there ONNX Runtime is no faster in one operation than in two. */
export const squares: Pass = {
  name: 'squares',
  rewrite(node, graph) {
    if (node.op !== 'ReduceSum') return false;
    const output = node.outputs[0]!;
    if (graph.shape(output).some((size) => size !== 1)) return false;
    const [product, axes] = node.inputs as [string, string];
    const square = graph.producer(product);
    if (square?.op !== 'Mul' || square.inputs[0] !== square.inputs[1] || !graph.readOnce(product))
      return false;
    const inputs = [square.inputs[0]!, axes];
    graph.replace(output, graph.emit('ReduceSumSquare', inputs, graph.shape(output), node.attributes));
    return true;
  },
};
