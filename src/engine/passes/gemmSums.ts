import type { OnnxNode } from '../onnx.js';
import type { Pass, Rewriting } from './pass.js';

/**
 * alpha A B + beta C is one operation: Gemm adds a bias, or the sum of the products before it, while it writes, instead of a second
 * walk over the product; and its factor costs nothing.
 */
export const gemmSums: Pass = {
  name: 'gemm_sums',
  rewrite(node, graph) {
    if (node.op === 'Mul') return scaled(node, graph);
    if (node.op !== 'Add' && node.op !== 'Sub') return false;
    const [a, b] = node.inputs as [string, string];
    const sign = node.op === 'Sub' ? -1 : 1;
    return added(node, graph, { product: b, other: a, alpha: sign, beta: 1 })
      ? true
      : added(node, graph, { product: a, other: b, alpha: 1, beta: sign });
  },
};

interface Sum {
  readonly product: string;
  readonly other: string;
  /** Signs of product and other term. */
  readonly alpha: number;
  readonly beta: number;
}

function added(node: OnnxNode, graph: Rewriting, { product, other, alpha, beta }: Sum): boolean {
  const gemm = plainGemm(product, graph);
  const shape = graph.shape(node.outputs[0]!);
  if (!gemm || graph.shape(product).join() !== shape.join() || graph.shape(other).length > 2) return false;
  const attributes = {
    ...gemm.attributes,
    ...(alpha !== 1 && { alpha: { float: alpha * alphaOf(gemm) } }),
    ...(beta !== 1 && { beta: { float: beta } }),
  };
  graph.replace(node.outputs[0]!, graph.emit('Gemm', [...gemm.inputs, other], shape, attributes));
  return true;
}

function scaled(node: OnnxNode, graph: Rewriting): boolean {
  const [a, b] = node.inputs as [string, string];
  for (const [product, factor] of [
    [a, graph.scalar(b)],
    [b, graph.scalar(a)],
  ] as const) {
    const gemm = factor === undefined ? undefined : plainGemm(product, graph);
    if (!gemm) continue;
    const attributes = { ...gemm.attributes, alpha: { float: factor! * alphaOf(gemm) } };
    const output = node.outputs[0]!;
    graph.replace(output, graph.emit('Gemm', gemm.inputs, graph.shape(output), attributes));
    return true;
  }
  return false;
}

/** A product without a third operand that nothing else reads. */
function plainGemm(value: string, graph: Rewriting): OnnxNode | undefined {
  const node = graph.producer(value);
  return node?.op === 'Gemm' && node.inputs.length === 2 && graph.readOnce(value) ? node : undefined;
}

function alphaOf({ attributes: { alpha } }: OnnxNode): number {
  return typeof alpha === 'object' && 'float' in alpha ? alpha.float : 1;
}
