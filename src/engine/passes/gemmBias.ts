import type { Pass } from './pass.js';

/** A B + c with c one value a column: Gemm adds c while it writes, instead of a second walk over the product. */
export const gemmBias: Pass = {
  name: 'gemm_bias',
  rewrite(node, graph) {
    if (node.op !== 'Add') return false;
    const [product, added] = node.inputs as [string, string];
    const gemm = graph.producer(product);
    if (gemm?.op !== 'Gemm' || gemm.inputs.length !== 2 || !graph.readOnce(product)) return false;
    const shape = graph.shape(product);
    const of = graph.shape(added);
    if (of.length !== 1 || of[0] !== shape[1]) return false;
    graph.replace(node.outputs[0]!, graph.emit('Gemm', [...gemm.inputs, added], shape, gemm.attributes));
    return true;
  },
};
