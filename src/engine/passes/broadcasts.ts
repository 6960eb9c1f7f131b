import type { OnnxNode } from '../onnx.js';
import type { Pass, Rewriting } from './pass.js';

/**
 * Elementwise operations broadcast by themselves: an operand is not expanded in front of one, and a product with expanded ones (the
 * gradient of a sum) is the expansion of the other factor, which the next operation then does without.
 */
export const broadcasts: Pass = {
  name: 'broadcasts',
  rewrite(node, graph) {
    if (!['Add', 'Sub', 'Mul', 'Div'].includes(node.op)) return false;
    const output = node.outputs[0]!;
    const shape = graph.shape(output);
    const [a, b] = node.inputs as [string, string];
    if (node.op === 'Mul') {
      for (const [ones, other] of [
        [b, a],
        [a, b],
      ] as const) {
        if (expandedScalar(ones, graph) !== 1) continue;
        const same = graph.shape(other).join() === shape.join();
        graph.replace(output, same ? other : graph.emit('Expand', [other, graph.integers(shape)], shape));
        return true;
      }
    }
    // What is left broadcasts to the same shape.
    const narrow = (value: string, other: string) => {
      const before = graph.producer(value);
      if (before?.op !== 'Expand') return value;
      const source = before.inputs[0]!;
      return graph.broadcast(source, other).join() === shape.join() ? source : value;
    };
    const first = narrow(a, b);
    const second = narrow(b, first);
    if (first === a && second === b) return false;
    graph.replace(output, graph.emit(node.op, [first, second], shape));
    return true;
  },
};

function expandedScalar(value: string, graph: Rewriting): number | undefined {
  const node: OnnxNode | undefined = graph.producer(value);
  return node?.op === 'Expand' ? graph.scalar(node.inputs[0]!) : undefined;
}
