import type { Pass, Rewriting } from './pass.js';

/** x a b = x (a b), and -(x a) = x (-a), where a and b are smaller than x: one walk over the large tensor instead of two. */
export const smallFactors: Pass = {
  name: 'small_factors',
  rewrite(node, graph) {
    const output = node.outputs[0]!;
    const shape = graph.shape(output);
    if (node.op === 'Neg') {
      const inner = factorsOf(node.inputs[0]!, graph);
      if (!inner) return false;
      const factor = graph.emit('Neg', [inner.small], graph.shape(inner.small));
      graph.replace(output, graph.emit('Mul', [inner.large, factor], shape));
      return true;
    }
    if (node.op !== 'Mul') return false;
    const [a, b] = node.inputs as [string, string];
    for (const [product, factor] of [
      [a, b],
      [b, a],
    ] as const) {
      const inner = product === factor ? undefined : factorsOf(product, graph);
      if (!inner) continue;
      const joint = graph.broadcast(inner.small, factor);
      if (size(joint) > Math.max(size(graph.shape(inner.small)), size(graph.shape(factor)))) continue;
      if (size(joint) >= size(graph.shape(inner.large))) continue;
      const small = graph.emit('Mul', [inner.small, factor], joint);
      graph.replace(output, graph.emit('Mul', [inner.large, small], shape));
      return true;
    }
    return false;
  },
};

/** A product that nothing else reads, of a tensor of its own size and a smaller one. */
function factorsOf(value: string, graph: Rewriting): { large: string; small: string } | undefined {
  const node = graph.producer(value);
  if (node?.op !== 'Mul' || !graph.readOnce(value)) return undefined;
  const [a, b] = node.inputs as [string, string];
  const whole = size(graph.shape(value));
  const [sizeA, sizeB] = [size(graph.shape(a)), size(graph.shape(b))];
  if (sizeA === whole && sizeB < whole) return { large: a, small: b };
  if (sizeB === whole && sizeA < whole) return { large: b, small: a };
  return undefined;
}

const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
