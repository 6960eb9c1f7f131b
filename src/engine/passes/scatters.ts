import type { Pass, Rewriting } from './pass.js';

/**
 * A sum with rows that were scattered into zeros is a scatter into the other term: what several look-ups in one table give back is
 * added up in one place, without a table of zeros for each.
 */
export const scatters: Pass = {
  name: 'scatters',
  rewrite(node, graph) {
    if (node.op !== 'Add') return false;
    const output = node.outputs[0]!;
    const [a, b] = node.inputs as [string, string];
    for (const [scattered, other] of [
      [b, a],
      [a, b],
    ] as const) {
      const scatter = graph.producer(scattered);
      if (scatter?.op !== 'ScatterND' || !graph.readOnce(scattered)) continue;
      if (!isZeros(scatter.inputs[0]!, graph)) continue;
      if (graph.shape(other).join() !== graph.shape(scattered).join()) continue;
      const inputs = [other, ...scatter.inputs.slice(1)];
      graph.replace(output, graph.emit('ScatterND', inputs, graph.shape(output), scatter.attributes));
      return true;
    }
    return false;
  },
};

function isZeros(value: string, graph: Rewriting): boolean {
  const node = graph.producer(value);
  return node?.op === 'Expand' && graph.scalar(node.inputs[0]!) === 0;
}
