import type { Pass, Rewriting } from './pass.js';

/** x - max x - log Σ exp(x - max x) over the last axis, six operations in tfjs, is one. */
export const logSoftmax: Pass = {
  name: 'log_softmax',
  rewrite(node, graph) {
    if (node.op !== 'Sub') return false;
    const [shifted, log] = node.inputs as [string, string];
    const subtract = graph.producer(shifted);
    if (subtract?.op !== 'Sub') return false;
    const [x, max] = subtract.inputs as [string, string];
    const exponentials = operandOf(operandOf(log, 'Log', graph), 'ReduceSum', graph);
    if (operandOf(max, 'ReduceMax', graph) !== x) return false;
    if (operandOf(exponentials, 'Exp', graph) !== shifted) return false;
    const shape = graph.shape(x);
    const reduced = [...shape.slice(0, -1), 1].join();
    if (graph.shape(max).join() !== reduced || graph.shape(log).join() !== reduced) return false;
    graph.replace(node.outputs[0]!, graph.emit('LogSoftmax', [x], shape, { axis: -1 }));
    return true;
  },
};

/** The first operand of the operation that gives `value`, where it is an `op`. */
function operandOf(value: string | undefined, op: string, graph: Rewriting): string | undefined {
  const node = value === undefined ? undefined : graph.producer(value);
  return node?.op === op ? node.inputs[0] : undefined;
}
