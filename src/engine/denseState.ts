/** Dense parameters of a step's models in host memory: what its graph is fed of them, and how what comes out takes their place. */
import type { Feeds, TensorData } from './compiledGraph.js';
import type { StepOptions } from './gradients.js';

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

/** Arrays that a step writes to, made once; those of the state change places with them. */
export class SpareArrays {
  private readonly arrays = new Map<string, TensorData>();

  of(key: string, length: number): Float32Array {
    const known = this.arrays.get(key);
    if (known?.length === length) return known as Float32Array;
    const array = new Float32Array(length);
    this.arrays.set(key, array);
    return array;
  }

  /** Makes what a step wrote to `new:…` the dense state; the arrays before it are the next step's to write to. */
  takeDense({ trained }: StepOptions, outputs: Readonly<Record<string, TensorData>>): void {
    const swap = (key: string, old: Float32Array): Float32Array => {
      this.arrays.set(key, old);
      return outputs[key] as Float32Array;
    };
    for (const [name, { state, slots }] of Object.entries(trained)) {
      state.vector = swap(`new:vector:${name}`, state.vector);
      slots.forEach((slot, i) => (slots[i] = swap(`new:vector:${name}:${i}`, slot)));
    }
  }
}
