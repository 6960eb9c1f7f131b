/**
 * ONNX bytes of a graph. The message layout below is the part of onnx.proto3 that our graphs use (field numbers are the format's
 * own); protobufjs does the wire format.
 */
import protobuf from 'protobufjs';

export const elementTypes = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof elementTypes;

export type Attribute =
  number | string | readonly number[] | { readonly float: number } | { readonly graph: OnnxGraph };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whole numbers, lists of them and strings; a float is spelt `{ float: 0.5 }`, the body of a loop `{ graph }`. */
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface OnnxConstant {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: ElementType;
  /** The first axis may be `anyLength`. */
  readonly shape: readonly number[];
}

/** An axis as long as what the graph is fed. */
export const anyLength = -1;

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Operator set: the first with axes as inputs of all reductions; ONNX Runtime 1.30 goes far beyond it. */
const operatorSet = 18;
const irVersion = 8;

/** The graph as the bytes of an ONNX model. */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  return Model.encode({
    irVersion,
    producerName: 'cascade',
    opsetImport: [{ domain: '', version: operatorSet }],
    graph: encodeGraph(graph),
  }).finish();
}

const encodeGraph = (graph: OnnxGraph): object => ({
  name: graph.name,
  node: graph.nodes.map((node, i) => ({
    name: `${node.op}_${i}`,
    opType: node.op,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
  })),
  initializer: graph.constants.map((constant) => ({
    name: constant.name,
    dataType: elementTypes[constant.type],
    dims: constant.shape,
    rawData: constant.bytes,
  })),
  input: graph.inputs.map(encodeValue),
  output: graph.outputs.map(encodeValue),
});

const attributeTypes = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

function encodeAttribute(name: string, value: Attribute): object {
  if (typeof value === 'number') return { name, type: attributeTypes.int, i: value };
  if (typeof value === 'string')
    return { name, type: attributeTypes.string, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: attributeTypes.float, f: value.float };
  if ('graph' in value) return { name, type: attributeTypes.graph, g: encodeGraph(value.graph) };
  return { name, type: attributeTypes.ints, ints: value };
}

const encodeValue = ({ name, type, shape }: OnnxValue) => ({
  name,
  type: {
    tensorType: { elemType: elementTypes[type], shape: { dim: shape.map(encodeLength) } },
  },
});

const encodeLength = (length: number) => (length === anyLength ? { dimParam: 'any' } : { dimValue: length });

// -------------------------------------------------------------------------------------------------- the message layout

const field = (id: number, type: string) => ({ id, type });
const list = (id: number, type: string) => ({ id, type, rule: 'repeated' });

const root = protobuf.Root.fromJSON({
  nested: {
    onnx: {
      nested: {
        Model: {
          fields: {
            irVersion: field(1, 'int64'),
            producerName: field(2, 'string'),
            graph: field(7, 'Graph'),
            opsetImport: list(8, 'OperatorSet'),
          },
        },
        OperatorSet: { fields: { domain: field(1, 'string'), version: field(2, 'int64') } },
        Graph: {
          fields: {
            node: list(1, 'Node'),
            name: field(2, 'string'),
            initializer: list(5, 'Tensor'),
            input: list(11, 'Value'),
            output: list(12, 'Value'),
          },
        },
        Node: {
          fields: {
            input: list(1, 'string'),
            output: list(2, 'string'),
            name: field(3, 'string'),
            opType: field(4, 'string'),
            attribute: list(5, 'Attribute'),
          },
        },
        Attribute: {
          fields: {
            name: field(1, 'string'),
            f: field(2, 'float'),
            i: field(3, 'int64'),
            s: field(4, 'bytes'),
            g: field(6, 'Graph'),
            ints: list(8, 'int64'),
            type: field(20, 'int32'),
          },
        },
        Tensor: {
          fields: {
            dims: list(1, 'int64'),
            dataType: field(2, 'int32'),
            name: field(8, 'string'),
            rawData: field(9, 'bytes'),
          },
        },
        Value: { fields: { name: field(1, 'string'), type: field(2, 'Type') } },
        Type: { fields: { tensorType: field(1, 'TensorType') } },
        TensorType: { fields: { elemType: field(1, 'int32'), shape: field(2, 'Shape') } },
        Shape: { fields: { dim: list(1, 'Dimension') } },
        Dimension: { fields: { dimValue: field(1, 'int64'), dimParam: field(2, 'string') } },
      },
    },
  },
});

const Model = root.lookupType('onnx.Model');
