/**
 * A graph run several times over in one run of another: `Scan`, ONNX's loop over slices. State goes from one time to the next without
 * leaving the device, every time reads its own slice of other inputs, and what comes out each time is stacked. How often is said by what
 * the graph is fed.
 */
import { anyLength, type OnnxGraph, type OnnxValue } from './onnx.js';

/** The start of an output that is the next state of the input of this name. */
const next = 'out:new:';

/**
 * Inputs of which the graph gives the next state, as `out:new:<input>`, are state: what one time gives the next one reads, and what the
 * last gives comes out. `isSliced`: of an input with a slice for each time; all others are the same each time. Inputs and outputs have
 * the names of the graph's own; slices, and outputs that are not state, have an axis in front: [time, ...].
 */
export function repeated(graph: OnnxGraph, isSliced: (input: string) => boolean): OnnxGraph {
  const own = (name: string) => `one:${name}`; // names within a loop differ from those around it
  const outputNames = new Set(graph.outputs.map(({ name }) => name));
  const states = [...outputNames].filter((name) => name.startsWith(next));
  const carried = states.map((name) => name.slice(next.length));
  const each = graph.inputs.map(({ name }) => name).filter(isSliced);
  const sliced = new Set([...carried, ...each]);
  const within = (name: string) => (sliced.has(name) || outputNames.has(name) ? own(name) : name);
  const input = byName(graph.inputs);
  const output = byName(graph.outputs);
  const others = [...outputNames].filter((name) => !name.startsWith(next));
  const looped = (value: OnnxValue): OnnxValue => ({ ...value, name: own(value.name) });
  const stacked = (value: OnnxValue): OnnxValue => ({ ...value, shape: [anyLength, ...value.shape] });

  const body: OnnxGraph = {
    name: `${graph.name}-once`,
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(within),
      outputs: node.outputs.map(within),
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
