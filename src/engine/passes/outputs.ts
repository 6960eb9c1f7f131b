import type { Pass } from './pass.js';

/** An output is written by the operation that gives it, and not copied there afterwards. */
export const outputs: Pass = {
  name: 'outputs',
  rewrite(node, graph) {
    if (node.op !== 'Identity') return false;
    return graph.nameOutput(node.inputs[0]!, node.outputs[0]!);
  },
};
