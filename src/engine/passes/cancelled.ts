import type { Pass } from './pass.js';

/** a + (b - a) is b, and a + (b - b) is a: what straight-through values leave in a graph, which has no gradients to keep apart. */
export const cancelled: Pass = {
  name: 'cancelled',
  rewrite(node, graph) {
    if (node.op !== 'Add') return false;
    const output = node.outputs[0]!;
    const shape = graph.shape(output).join();
    const [a, b] = node.inputs as [string, string];
    for (const [kept, difference] of [
      [a, b],
      [b, a],
    ] as const) {
      const subtract = graph.producer(difference);
      if (subtract?.op !== 'Sub') continue;
      const [from, taken] = subtract.inputs as [string, string];
      const left = taken === kept ? from : from === taken ? kept : undefined;
      if (left === undefined || graph.shape(left).join() !== shape) continue;
      graph.replace(output, left);
      return true;
    }
    return false;
  },
};
