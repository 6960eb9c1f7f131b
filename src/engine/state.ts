/**
 * The state of a model: its dense parameters in one flat vector and its embedding table. One vector, because a step then moves
 * three arrays (parameters and moments) instead of hundreds, and the optimiser is a few operations over all of it.
 */
import { tf } from './tf.js';
import { internal } from '../errors.js';
import type { EmbeddingTable } from './tables/embeddings.js';

/** Dense parameters by name, such as `user_tower/0/weight`. */
export type Parameters = Readonly<Record<string, tf.Tensor>>;

/** First values of dense parameters, by name. */
export type Initial = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly values: Float32Array }>
>;

interface LayoutEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/** Where each parameter lies in the flat vector; in the order of their names. */
class Layout {
  readonly entries: readonly LayoutEntry[];
  readonly size: number;

  constructor(shapes: Readonly<Record<string, readonly number[]>>) {
    let offset = 0;
    this.entries = Object.keys(shapes)
      .toSorted()
      .map((name) => {
        const shape = shapes[name]!;
        const size = shape.reduce((product, length) => product * length, 1);
        const entry = { name, shape, offset, size };
        offset += size;
        return entry;
      });
    this.size = offset;
  }

  static of(initial: Initial): Layout {
    return new Layout(Object.fromEntries(Object.entries(initial).map(([name, { shape }]) => [name, shape])));
  }

  /** The parameters as tensors: views on slices of the vector. */
  unpack(vector: tf.Tensor): Parameters {
    return Object.fromEntries(
      this.entries.map(({ name, shape, offset, size }) => [
        name,
        tf.reshape(tf.slice(vector, [offset], [size]), [...shape]),
      ]),
    );
  }

  /** One flat vector of tensors given in the order of the entries. */
  pack(tensors: readonly tf.Tensor[]): tf.Tensor1D {
    return tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1])));
  }

  /** The numbers of one parameter, a view on the vector. */
  view(vector: Float32Array, name: string): Float32Array {
    const entry = this.entries.find((e) => e.name === name) ?? internal(`no parameter ${name}`);
    return vector.subarray(entry.offset, entry.offset + entry.size);
  }
}

export interface ModelState {
  readonly layout: Layout;
  /** Dense parameters, [layout.size]. */
  vector: Float32Array;
  readonly table: EmbeddingTable;
}

/** A model's state from first values of its dense parameters and its table. */
export function modelState(initial: Initial, table: EmbeddingTable): ModelState {
  const layout = Layout.of(initial);
  const vector = new Float32Array(layout.size);
  for (const { name, offset, size } of layout.entries) {
    const { values } = initial[name]!;
    if (values.length !== size)
      internal(`parameter ${name} has ${values.length} first values for ${size} places`);
    vector.set(values, offset);
  }
  return { layout, vector, table };
}

/** A copy that later steps do not touch. */
export function copyState(state: ModelState): ModelState {
  return { layout: state.layout, vector: state.vector.slice(), table: state.table.copy() };
}
