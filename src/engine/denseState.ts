/** Dense parameters of a step's models in host memory: what its graph is fed of them, and how what comes out takes their place. */
import type { Feeds, TensorData } from './compiledGraph.js';
import type { StepOptions } from './gradients.js';
import type { ReusedArrays } from './reusedArrays.js';

/** The vectors of all models, with the optimiser's arrays where that is in the graph. */
export function denseFeeds({ trained, frozen }: StepOptions, optimizerInGraph: boolean): Feeds {
  const feeds: Record<string, TensorData> = {};
  for (const [name, { state, slots }] of Object.entries(trained)) {
    feeds[`vector:${name}`] = state.vector;
    if (optimizerInGraph) slots.forEach((slot, i) => (feeds[`vector:${name}:${i}`] = slot));
  }
  for (const [name, { vector }] of Object.entries(frozen)) feeds[`vector:${name}`] = vector;
  return feeds;
}

/** Makes what a step wrote to `new:…` the dense state; the arrays before it are the next step's to write to. */
export function takeDense(
  { trained }: StepOptions,
  outputs: Readonly<Record<string, TensorData>>,
  arrays: ReusedArrays,
): void {
  const swap = (key: string, old: Float32Array): Float32Array => {
    arrays.put(key, old);
    return outputs[key] as Float32Array;
  };
  for (const [name, { state, slots }] of Object.entries(trained)) {
    state.vector = swap(`new:vector:${name}`, state.vector);
    slots.forEach((slot, i) => (slots[i] = swap(`new:vector:${name}:${i}`, slot)));
  }
}
