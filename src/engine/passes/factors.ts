import type { OnnxNode } from '../onnx.js';
import type { Pass, Rewriting } from './pass.js';

/**
 * A product with two smaller factors, one after the other, goes over the large one once: (x s) t is x (s t), and -(x s) is x (-s). They
 * come from means, weights of rows and the 2 of a square's gradient.
 */
export const factors: Pass = {
  name: 'factors',
  rewrite(node, graph) {
    if (node.op === 'Neg')
      return pulled(node.inputs[0]!, node, graph, (s) => graph.emit('Neg', [s], graph.shape(s)));
    if (node.op !== 'Mul') return false;
    const [a, b] = node.inputs as [string, string];
    const times = (t: string) => (s: string) => graph.emit('Mul', [s, t], graph.broadcast(s, t));
    return (
      (isSmaller(b, node, graph) && pulled(a, node, graph, times(b), b)) ||
      (isSmaller(a, node, graph) && pulled(b, node, graph, times(a), a))
    );
  },
};

/** Where `product` is x s with s smaller than x, and nothing else reads it: x times what `change` makes of s. */
function pulled(
  product: string,
  node: OnnxNode,
  graph: Rewriting,
  change: (small: string) => string,
  other?: string,
): boolean {
  const inner = graph.producer(product);
  const output = node.outputs[0]!;
  if (inner?.op !== 'Mul' || !graph.readOnce(product)) return false;
  const [a, b] = inner.inputs as [string, string];
  const small = [b, a].find((value) => isSmaller(value, node, graph));
  if (small === undefined) return false;
  const large = small === b ? a : b;
  const shape = graph.shape(output);
  const isWhole = graph.shape(large).join() === shape.join();
  const stays = other === undefined || size(graph.broadcast(small, other)) < size(shape);
  if (!isWhole || !stays) return false;
  graph.replace(output, graph.emit('Mul', [large, change(small)], shape));
  return true;
}

const isSmaller = (value: string, node: OnnxNode, graph: Rewriting) =>
  size(graph.shape(value)) < size(graph.shape(node.outputs[0]!));

const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
