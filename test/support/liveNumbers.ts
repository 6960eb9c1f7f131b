/**
 * How many numbers a graph holds at once, at most: nodes in the order in which ONNX Runtime takes them (back from the outputs, of a
 * node's inputs the latest first), each value from its node to its last reader. Inputs and constants are not counted.
 */
import type { OnnxGraph, OnnxNode } from '../../src/engine/onnx.js';
import { shapesOf } from '../../src/engine/passes/shapes.js';

export function mostLiveNumbers(graph: OnnxGraph): number {
  const shapes = shapesOf(graph);
  const size = (value: string) => shapes.get(value)!.reduce((product, length) => product * length, 1);
  const order = executionOrder(graph);
  const lastRead = new Map<string, number>();
  order.forEach((node, at) => {
    for (const value of node.inputs) lastRead.set(value, at);
  });
  const ends = new Map<number, string[]>();
  for (const value of order.flatMap(({ outputs }) => outputs)) {
    const at = lastRead.get(value);
    if (at !== undefined) ends.set(at, [...(ends.get(at) ?? []), value]);
  }
  let live = 0;
  let most = 0;
  order.forEach((node, at) => {
    for (const value of node.outputs) live += size(value);
    most = Math.max(most, live);
    for (const value of ends.get(at) ?? []) live -= size(value);
  });
  return most;
}

function executionOrder({ nodes, outputs }: OnnxGraph): OnnxNode[] {
  const placeOf = new Map(
    nodes.flatMap((node, place) => node.outputs.map((value) => [value, place] as const)),
  );
  const order: OnnxNode[] = [];
  const state = new Uint8Array(nodes.length); // 1: entered, 2: taken
  const stack = outputs.map(({ name }) => placeOf.get(name)!);
  while (stack.length > 0) {
    const place = stack.at(-1)!;
    if (state[place] !== 0) {
      stack.pop();
      if (state[place] === 1) order.push(nodes[place]!);
      state[place] = 2;
      continue;
    }
    state[place] = 1;
    const before = nodes[place]!.inputs.map((value) => placeOf.get(value)).filter((at) => at !== undefined);
    for (const at of before.toSorted((a, b) => a - b)) if (state[at] === 0) stack.push(at);
  }
  return order;
}
