/**
 * From a batch's indices to embedded features. A batch names its distinct items once; candidates and behaviours point to them, so
 * that an item that occurs a hundred times is embedded once.
 *
 * Array names of a batch (data/batches.ts writes them):
 *   items/slots [item, slot], items/slot_mask, items/numbers [item, number], items/match_values [item, field], items/vectors [item, coded]
 *   <block>/user_slots [request, slot], <block>/user_slot_mask, <block>/user_numbers [request, number]; the same for context_
 *   <block>/candidates [request, candidate], <block>/candidate_mask
 *   <block>/behaviours [request, behaviour] newest first, <block>/behaviour_mask
 *   <block>/match_values, <block>/match_counts [request, field, behaviour]
 */
import { tf } from '../engine/tf.js';
import type { FeatureGroup, InputLayout } from '../data/inputLayout.js';
import type { BatchTensors } from '../engine/gradients.js';
import { internal } from '../errors.js';

/** Widths of what models get. */
export interface Dimensions {
  readonly user: number;
  readonly context: number;
  readonly item: number;
  /** Width of what candidate and behaviour have in common. */
  readonly shared: number;
  /** Width of what items are coded and compared by: `shared`, or the user's own vectors. */
  readonly coded: number;
  /** Features behind `shared`. */
  readonly fields: number;
  readonly behaviours: number;
}

/** Width of a feature group once embedded. */
const groupWidth = (group: FeatureGroup, width: number) => group.slots.length * width + group.numbers;

export function dimensions(layout: InputLayout): Dimensions {
  const shared = layout.shared.length * layout.width;
  return {
    user: groupWidth(layout.user, layout.width),
    context: groupWidth(layout.context, layout.width),
    item: groupWidth(layout.item, layout.width),
    shared,
    coded: layout.vectorWidth > 0 ? layout.vectorWidth : shared,
    fields: layout.shared.length,
    behaviours: layout.behaviours,
  };
}

/** The user's behaviours, newest first. */
export interface SequenceInput {
  /** [request, behaviour, shared] */
  readonly x: tf.Tensor3D;
  /** The user's own vectors of the behaviours, constants: [request, behaviour, coded]. */
  readonly vectors?: tf.Tensor3D;
  /** [request, behaviour], 1 = real */
  readonly mask: tf.Tensor2D;
  /** Per field the distinct values of the sequence, ascending, and how often each occurs: [request, field, behaviour]; 2^31 - 1 and 0 pad. */
  readonly match?: { readonly values: tf.Tensor3D; readonly counts: tf.Tensor3D };
}

export interface ItemInput {
  /** All item features, [..., item]. */
  readonly x: tf.Tensor;
  /** The part that behaviours have too, [..., shared]. */
  readonly shared: tf.Tensor;
  /** The user's own vectors, constants: [..., coded]. */
  readonly vectors?: tf.Tensor;
  /** Value ids per field for match counts, [..., field]; -2 where the value is out of vocabulary. */
  readonly matchValues?: tf.Tensor;
}

/** What items are coded and compared by: the user's own vectors, or else what is learned. [..., coded] */
export const codedBy = {
  item: ({ vectors, shared }: ItemInput): tf.Tensor => vectors ?? shared,
  sequence: ({ vectors, x }: SequenceInput): tf.Tensor3D => vectors ?? x,
};

export interface RequestInputs {
  /** [request, user] */
  readonly user: tf.Tensor2D;
  /** [request, context] */
  readonly context: tf.Tensor2D;
  readonly sequence: SequenceInput;
  /** Candidates: leading axes [request, candidate]. */
  readonly item: ItemInput;
  /** [request, candidate], 1 = real */
  readonly mask: tf.Tensor2D;
}

/** Embeds the features of one block of a batch. */
export function embedBlock(
  layout: InputLayout,
  rows: tf.Tensor2D,
  batch: BatchTensors,
  block: string,
): RequestInputs {
  const input = (name: string) => batch[name] ?? internal(`the batch has no ${name}`);
  const items = embedItems(layout, rows, batch);
  const candidates = input(`${block}/candidates`) as tf.Tensor2D;
  const requests = candidates.shape[0];
  const behaviours = input(`${block}/behaviours`);
  const { vectors } = items;
  const matchValues = batch['items/match_values'];
  const match = batch[`${block}/match_values`];
  return {
    user: embedGroup(layout.user, rows, batch, `${block}/user_`, requests),
    context: embedGroup(layout.context, rows, batch, `${block}/context_`, requests),
    sequence: {
      x: lookUp(items.shared, behaviours) as tf.Tensor3D,
      ...(vectors && { vectors: tf.gather(vectors, behaviours) as tf.Tensor3D }),
      mask: input(`${block}/behaviour_mask`) as tf.Tensor2D,
      ...(match && {
        match: { values: match as tf.Tensor3D, counts: input(`${block}/match_counts`) as tf.Tensor3D },
      }),
    },
    item: {
      x: tf.gather(items.x, candidates),
      shared: lookUp(items.shared, candidates),
      ...(vectors && { vectors: tf.gather(vectors, candidates) }),
      ...(matchValues && { matchValues: tf.gather(matchValues, candidates) }),
    },
    mask: input(`${block}/candidate_mask`) as tf.Tensor2D,
  };
}

/** Rows by index; where the rows have no width there is nothing to look up. */
function lookUp(rows: tf.Tensor, indices: tf.Tensor): tf.Tensor {
  return rows.shape[1] === 0 ? tf.zeros([...indices.shape, 0]) : tf.gather(rows, indices);
}

/** Embeds the batch's distinct items: leading axis [item]. */
export function embedItems(layout: InputLayout, rows: tf.Tensor2D, batch: BatchTensors): ItemInput {
  const slots = batch['items/slots'] ?? batch['items/numbers'] ?? internal('the batch has no items');
  const x = embedGroup(layout.item, rows, batch, 'items/', slots.shape[0]);
  const parts = layout.shared.map((feature) => tf.slice(x, [0, feature * layout.width], [-1, layout.width]));
  const shared = parts.length === 0 ? tf.zeros([x.shape[0], 0]) : tf.concat(parts, 1);
  const vectors = batch['items/vectors'];
  const matchValues = batch['items/match_values'];
  return { x, shared, ...(vectors && { vectors }), ...(matchValues && { matchValues }) };
}

/**
 * Embedded features of a group, side by side: [row, groupWidth]. A multi-valued feature is the mean of its present slots, a feature
 * with none is zero. `count` is the number of rows, for a group without features.
 */
function embedGroup(
  group: FeatureGroup,
  rows: tf.Tensor2D,
  batch: BatchTensors,
  prefix: string,
  count: number,
): tf.Tensor2D {
  const parts: tf.Tensor[] = [];
  const slots = batch[`${prefix}slots`];
  if (slots) {
    const embedded = tf.gather(rows, slots); // [row, slot, width]
    const mask = batch[`${prefix}slot_mask`];
    if (mask) parts.push(...averageSlots(group.slots, embedded, mask));
    else parts.push(tf.reshape(embedded, [count, -1]));
  }
  const numbers = batch[`${prefix}numbers`];
  if (numbers) parts.push(numbers);
  if (parts.length === 0) return tf.zeros([count, 0]);
  return (parts.length === 1 ? parts[0]! : tf.concat(parts, 1)) as tf.Tensor2D;
}

/** The mean of the present slots of each feature: one [row, width] per feature. */
function averageSlots(sizes: readonly number[], embedded: tf.Tensor, mask: tf.Tensor): tf.Tensor[] {
  const count = mask.shape[0];
  let at = 0;
  return sizes.map((size) => {
    const present = tf.slice(mask, [0, at], [-1, size]);
    const part = tf.slice(embedded, [0, at, 0], [-1, size, -1]);
    at += size;
    const weights = tf.div(present, tf.maximum(tf.sum(present, 1, true), tf.ones([count, 1])));
    return tf.sum(tf.mul(part, tf.reshape(weights, [count, size, 1])), 1);
  });
}
