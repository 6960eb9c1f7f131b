/** The shape of every value of a graph, from the shapes of its inputs: passes need them, recorded nodes do not carry them. */
import { internal } from '../../errors.js';
import type { OnnxConstant, OnnxGraph, OnnxNode } from '../onnx.js';

export type Shape = readonly number[];

export function shapesOf(graph: OnnxGraph): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  const integers = new Map<string, readonly number[]>();
  for (const { name, shape } of graph.inputs) shapes.set(name, shape);
  for (const constant of graph.constants) {
    shapes.set(constant.name, constant.shape);
    if (constant.type === 'int64') integers.set(constant.name, integersOf(constant));
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => shapes.get(name) ?? internal(`value ${name} has no shape`));
    const list = (at: number) =>
      integers.get(node.inputs[at]!) ?? internal(`operand ${at} of ${node.op} is not a constant`);
    outputShapes(node, inputs, list).forEach((shape, i) => shapes.set(node.outputs[i]!, shape));
  }
  return shapes;
}

export const integersOf = ({ bytes }: OnnxConstant): readonly number[] =>
  Array.from(new BigInt64Array(bytes.slice().buffer), Number);

function outputShapes(
  { op, attributes, outputs }: OnnxNode,
  inputs: readonly Shape[],
  list: (at: number) => readonly number[],
): Shape[] {
  const first = inputs[0]!;
  const axis = () => {
    const at = attributes.axis as number;
    return at < 0 ? at + first.length : at;
  };
  const flag = (name: string, otherwise: number) =>
    ((attributes[name] as number | undefined) ?? otherwise) === 1;
  switch (op) {
    case 'Add':
    case 'Sub':
    case 'Mul':
    case 'Div':
    case 'Max':
    case 'Min':
    case 'Pow':
    case 'Sum':
    case 'Greater':
    case 'GreaterOrEqual':
    case 'Less':
    case 'LessOrEqual':
    case 'Equal':
    case 'And':
    case 'Or':
    case 'Where':
      return [inputs.reduce(broadcast)];
    case 'Reshape':
      return [list(1)];
    case 'Expand':
      return [broadcast(first, list(1))];
    case 'Tile':
      return [first.map((size, i) => size * list(1)[i]!)];
    case 'Transpose':
      return [(attributes.perm as readonly number[]).map((from) => first[from]!)];
    case 'Concat':
      return [
        first.with(
          axis(),
          inputs.reduce((sum, shape) => sum + shape[axis()]!, 0),
        ),
      ];
    case 'Split':
      return outputs.map((_, i) => first.with(axis(), list(1)[i]!));
    case 'Slice': {
      const [starts, ends, axes] = [list(1), list(2), list(3)];
      return [
        first.map((size, i) => (axes.includes(i) ? ends[axes.indexOf(i)]! - starts[axes.indexOf(i)]! : size)),
      ];
    }
    case 'Pad':
      return [first.map((size, i) => size + list(1)[i]! + list(1)[i + first.length]!)];
    case 'Gather':
      return [[...first.slice(0, axis()), ...inputs[1]!, ...first.slice(axis() + 1)]];
    case 'OneHot':
      return [[...first, list(1)[0]!]];
    case 'MatMul': {
      const second = inputs[1]!;
      return [[...broadcast(first.slice(0, -2), second.slice(0, -2)), first.at(-2)!, second.at(-1)!]];
    }
    case 'Gemm':
      return [[first[flag('transA', 0) ? 1 : 0]!, inputs[1]![flag('transB', 0) ? 0 : 1]!]];
    case 'ReduceSum':
    case 'ReduceSumSquare':
    case 'ReduceMean':
    case 'ReduceMax':
    case 'ReduceMin':
      return [reduced(first, list(1), flag('keepdims', 1))];
    case 'ArgMin':
    case 'ArgMax':
      return [reduced(first, [axis()], flag('keepdims', 1))];
    default:
      // Everything else is elementwise, or gives its first operand's shape (softmax, running sums, scatters, clips).
      return [first];
  }
}

export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const at = (shape: Shape, i: number) => shape[i - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, i) => (at(a, i) === 1 ? at(b, i) : at(a, i)));
}

const reduced = (shape: Shape, axes: readonly number[], keep: boolean): Shape =>
  keep ? shape.map((size, i) => (axes.includes(i) ? 1 : size)) : shape.filter((_, i) => !axes.includes(i));
