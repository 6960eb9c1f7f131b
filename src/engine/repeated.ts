/**
 * A graph run several times over in one run of another: `Scan`, ONNX's loop over slices. State goes from one time to the next without
 * leaving the device, every time reads its own slice of other inputs, and what comes out each time is stacked. How often is said by what
 * the graph is fed.
 */
import { anyLength, type OnnxGraph, type OnnxValue } from './onnx.js';

export interface Repetition {
  /** Inputs that are state: the output `out:new:<input>` of one time is what the next one reads, and that of the last comes out. */
  readonly carried: readonly string[];
  /** Inputs with a slice for each time. All others are the same each time. */
  readonly each: readonly string[];
}

const carriedOutput = (input: string) => `out:new:${input}`;

/**
 * Inputs and outputs have the names of the graph's own; those in `each`, and outputs that are not state, have an axis in front: [time, ...].
 */
export function repeated(graph: OnnxGraph, { carried, each }: Repetition): OnnxGraph {
  const own = (name: string) => `one:${name}`; // names within a loop differ from those around it
  const sliced = new Set([...carried, ...each]);
  const current = (name: string) => (sliced.has(name) ? own(name) : name);
  const outputNames = new Set(graph.outputs.map(({ name }) => name));
  const given = (name: string) => (outputNames.has(name) ? own(name) : current(name));
  const input = byName(graph.inputs);
  const output = byName(graph.outputs);
  const states = carried.map(carriedOutput);
  const others = graph.outputs.map(({ name }) => name).filter((name) => !states.includes(name));
  const looped = (value: OnnxValue): OnnxValue => ({ ...value, name: own(value.name) });
  const stacked = (value: OnnxValue): OnnxValue => ({ ...value, shape: [anyLength, ...value.shape] });

  const body: OnnxGraph = {
    name: `${graph.name}-once`,
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(given),
      outputs: node.outputs.map(given),
    })),
    constants: graph.constants,
    inputs: [...carried, ...each].map((name) => looped(input(name))),
    outputs: [...states, ...others].map((name) => looped(output(name))),
  };
  const fixed = graph.inputs.filter(({ name }) => !sliced.has(name));
  return {
    name: graph.name,
    nodes: [
      {
        op: 'Scan',
        inputs: [...carried, ...each],
        outputs: [...states, ...others],
        attributes: { body: { graph: body }, num_scan_inputs: each.length },
      },
    ],
    constants: [],
    inputs: [...fixed, ...carried.map(input), ...each.map((name) => stacked(input(name)))],
    outputs: [...states.map(output), ...others.map((name) => stacked(output(name)))],
  };
}

function byName(values: readonly OnnxValue[]): (name: string) => OnnxValue {
  const known = new Map(values.map((value) => [value.name, value]));
  return (name) => known.get(name)!;
}
