/**
 * A graph while it is recorded: nodes in the order of their recording (which is a topological order), constants, inputs. A value is
 * known by its name. The same operation on the same values is recorded once; nodes that no output needs are dropped at the end.
 */
import type { Attribute, ElementType, OnnxConstant, OnnxGraph, OnnxNode, OnnxValue } from '../onnx.js';

export class TracedGraph {
  private readonly nodes: OnnxNode[] = [];
  private readonly constants = new Map<string, OnnxConstant>();
  private readonly inputs: OnnxValue[] = [];
  private readonly outputs: OnnxValue[] = [];
  private readonly recorded = new Map<string, readonly string[]>();

  constructor(readonly name: string) {}

  input(value: OnnxValue): string {
    this.inputs.push(value);
    return value.name;
  }

  /** Declares an output; it gets a node of its own, so that one value may be output under two names. */
  output(value: OnnxValue, source: string): void {
    this.nodes.push({ op: 'Identity', inputs: [source], outputs: [value.name], attributes: {} });
    this.outputs.push(value);
  }

  /** Records an operation with one output and returns the name of its value. */
  emit(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.emitMany(op, inputs, 1, attributes)[0]!;
  }

  /** Records an operation with several outputs. */
  emitMany(
    op: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): readonly string[] {
    const signature = JSON.stringify([op, inputs, outputs, attributes]);
    const known = this.recorded.get(signature);
    if (known) return known;
    const names = Array.from({ length: outputs }, (_, i) => `v${this.nodes.length}_${i}`);
    this.nodes.push({ op, inputs, outputs: names, attributes });
    this.recorded.set(signature, names);
    return names;
  }

  /** A constant tensor; equal constants share one name. */
  constant(values: ArrayLike<number>, shape: readonly number[], type: ElementType): string {
    const bytes = constantBytes(values, type);
    const key = `${type}[${shape.join()}]${Buffer.from(bytes).toString('base64')}`;
    const known = this.constants.get(key);
    if (known) return known.name;
    const name = `c${this.constants.size}`;
    this.constants.set(key, { name, type, shape, bytes });
    return name;
  }

  /** A tensor of one number everywhere: an expanded constant of one element, so that it is neither stored nor hidden from passes. */
  filled(shape: readonly number[], value: number, type: ElementType): string {
    const ones = shape.map(() => 1);
    const constant = this.constant([value], ones, type);
    if (shape.every((size) => size === 1)) return constant;
    return this.emit('Expand', [constant, this.integers(shape)]);
  }

  /** A one-dimensional int64 constant: shapes, axes, slices. */
  integers(values: readonly number[]): string {
    return this.constant(values, [values.length], 'int64');
  }

  /** A scalar constant. */
  scalar(value: number, type: ElementType = 'float32'): string {
    return this.constant([value], [], type);
  }

  /** The finished graph: only what the outputs need. */
  finish(): OnnxGraph {
    const needed = new Set(this.outputs.map((output) => output.name));
    const kept: OnnxNode[] = [];
    for (const node of this.nodes.toReversed()) {
      if (!node.outputs.some((name) => needed.has(name))) continue;
      kept.push(node);
      for (const name of node.inputs) needed.add(name);
    }
    return {
      name: this.name,
      nodes: kept.toReversed(),
      constants: [...this.constants.values()].filter((constant) => needed.has(constant.name)),
      inputs: this.inputs,
      outputs: this.outputs,
    };
  }
}

/** Numbers as the bytes of a constant. */
export function constantBytes(values: ArrayLike<number>, type: ElementType): Uint8Array {
  switch (type) {
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer);
    case 'int32':
      return new Uint8Array(Int32Array.from(values).buffer);
    case 'int64':
      return new Uint8Array(BigInt64Array.from(Array.from(values, BigInt)).buffer);
    case 'bool':
      return Uint8Array.from(values);
  }
}
