/**
 * Rewrites of a recorded graph. A pass says the same mathematics in operations that ONNX Runtime runs faster; it knows only the graph,
 * not the models. Passes are named, so that tests and the bench can leave one out and compare.
 */
import type { Attribute, ElementType, OnnxConstant, OnnxGraph, OnnxNode } from '../onnx.js';
import { constantBytes } from '../trace/graph.js';
import { broadcast, integersOf, type Shape } from './shapes.js';

export interface Pass {
  readonly name: string;
  /** What becomes of a node: `true` where the pass has put something in its place, or needs it no longer. */
  readonly rewrite: (node: OnnxNode, graph: Rewriting) => boolean;
}

/** A graph while a pass goes over it from the first node to the last. What a pass emits takes the place of the node at hand. */
export class Rewriting {
  private readonly constants: Map<string, OnnxConstant>;
  private readonly producers = new Map<string, OnnxNode>();
  private readonly readers = new Map<string, number>();
  private readonly replaced = new Map<string, string>();
  private readonly nodes: OnnxNode[] = [];
  /** Values that are outputs, under the name of the output. */
  private readonly named = new Map<string, string>();
  private made = 0;

  private constructor(
    graph: OnnxGraph,
    private readonly prefix: string,
    private readonly shapes: Map<string, Shape>,
  ) {
    this.constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
    for (const node of graph.nodes) {
      for (const name of node.inputs) this.readers.set(name, (this.readers.get(name) ?? 0) + 1);
    }
  }

  /** The graph after the pass. Names of what it adds start with `prefix`; `shapes` of all values are given those of what it adds. */
  static run(graph: OnnxGraph, pass: Pass, prefix: string, shapes: Map<string, Shape>): OnnxGraph {
    const rewriting = new Rewriting(graph, prefix, shapes);
    for (const node of graph.nodes) {
      const inputs = node.inputs.map((name) => rewriting.current(name));
      const present = { ...node, inputs };
      if (!pass.rewrite(present, rewriting)) rewriting.keep(present);
    }
    return withoutUnused({
      ...graph,
      nodes: rewriting.nodes.map((node) => rewriting.withOutputNames(node)),
      constants: [...rewriting.constants.values()],
    });
  }

  /** The node that gives a value, unless it is an input or a constant. */
  producer(value: string): OnnxNode | undefined {
    return this.producers.get(value);
  }

  /** Whether the node at hand is the only one that reads this value. */
  readOnce(value: string): boolean {
    return this.readers.get(value) === 1;
  }

  shape(value: string): Shape {
    return this.shapes.get(value)!;
  }

  /** The shape of an elementwise operation on both. */
  broadcast(a: string, b: string): Shape {
    return broadcast(this.shape(a), this.shape(b));
  }

  /** The number of a float constant of one element. */
  scalar(value: string): number | undefined {
    const constant = this.constants.get(value);
    if (constant?.type !== 'float32' || constant.bytes.length !== 4) return undefined;
    return new Float32Array(constant.bytes.slice().buffer)[0];
  }

  /** The numbers of an int64 constant: axes, shapes. */
  integersOf(value: string): readonly number[] | undefined {
    const constant = this.constants.get(value);
    return constant?.type === 'int64' ? integersOf(constant) : undefined;
  }

  /** A scalar constant. */
  constant(value: number): string {
    return this.addConstant([value], [], 'float32');
  }

  integers(values: readonly number[]): string {
    return this.addConstant(values, [values.length], 'int64');
  }

  /** Adds an operation before the node at hand. */
  emit(
    op: string,
    inputs: readonly string[],
    shape: Shape,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const name = `${this.prefix}${this.made++}`;
    this.shapes.set(name, shape);
    for (const input of inputs) this.readers.set(input, (this.readers.get(input) ?? 0) + 1);
    this.keep({ op, inputs, outputs: [name], attributes });
    return name;
  }

  /** From here on, `by` is read where `value` was. */
  replace(value: string, by: string): void {
    this.replaced.set(value, by);
    this.readers.set(by, (this.readers.get(by) ?? 0) + (this.readers.get(value) ?? 0));
  }

  /** Gives a value the name of an output, unless no operation gives it, as with inputs, or it is another output already. */
  nameOutput(value: string, output: string): boolean {
    if (!this.producers.has(value) || this.named.has(value)) return false;
    this.named.set(value, output);
    return true;
  }

  private withOutputNames(node: OnnxNode): OnnxNode {
    if (this.named.size === 0) return node;
    const name = (value: string) => this.named.get(value) ?? value;
    return { ...node, inputs: node.inputs.map(name), outputs: node.outputs.map(name) };
  }

  private current(value: string): string {
    return this.replaced.get(value) ?? value;
  }

  private keep(node: OnnxNode): void {
    this.nodes.push(node);
    for (const output of node.outputs) this.producers.set(output, node);
  }

  private addConstant(values: readonly number[], shape: Shape, type: ElementType): string {
    const name = `${this.prefix}c_${type}_${shape.join('x')}_${values.join('_')}`;
    this.constants.set(name, { name, type, shape, bytes: constantBytes(values, type) });
    this.shapes.set(name, shape);
    return name;
  }
}

/** The graph without nodes and constants that no output needs. */
function withoutUnused(graph: OnnxGraph): OnnxGraph {
  const needed = new Set(graph.outputs.map((output) => output.name));
  const kept: OnnxNode[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) needed.add(name);
  }
  return {
    ...graph,
    nodes: kept.toReversed(),
    constants: graph.constants.filter((constant) => needed.has(constant.name)),
  };
}
