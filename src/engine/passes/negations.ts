import type { Pass } from './pass.js';

/** x + (-y) = x - y, and x - (-y) = x + y. */
export const negations: Pass = {
  name: 'negations',
  rewrite(node, graph) {
    const [a, b] = node.inputs as [string, string];
    const output = node.outputs[0]!;
    const negated = (value: string) => {
      const before = graph.producer(value);
      return before?.op === 'Neg' ? before.inputs[0]! : undefined;
    };
    const becomes = (op: string, x: string, y: string) => {
      graph.replace(output, graph.emit(op, [x, y], graph.shape(output)));
      return true;
    };
    if (node.op !== 'Add' && node.op !== 'Sub') return false;
    const second = negated(b);
    if (second !== undefined) return becomes(node.op === 'Add' ? 'Sub' : 'Add', a, second);
    const first = node.op === 'Add' ? negated(a) : undefined;
    return first === undefined ? false : becomes('Sub', b, first);
  },
};
