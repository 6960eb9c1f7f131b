/**
 * Attention over a long sequence, chunk by chunk, in memory of queries x chunk and never queries x sequence.
 *   L_h = Q_h K_h' + U E'          own products of each head, and products that all heads share
 *   O_h = softmax(L_h) V_h         Z_h = log Σ_j exp(L_hj)
 * Forward keeps, while chunk i goes by, the running maximum m, and A = Σ_j exp(L_j - m) [v_j ; 1], whose last column is the sum of the
 * weights:
 *   m' = max(m, max_j L_ij)        A' = exp(m - m') A + exp(L_i - m') [V_i ; 1]       O = A / last        Z = m + log(last)
 * Backward makes a chunk's weights anew, P = exp(L_i - Z), and with D the row sums of dO ∘ O
 *   dL_i = P ∘ (dO V_i' - D + dZ) = P ∘ [dO ; dZ - D] [V_i ; 1]'
 *   dV_i' = dO' P      dK_i' = Q' dL_i      dQ += dL_i K_i      dE_i' = U' Σ_h dL_i      dU += (Σ_h dL_i) E_i
 * Whatever is added to logits is a product too: a similarity, or 1 times a number of the behaviour (how old it is, that it is padding).
 * Source: Dao et al. 2022 (FlashAttention), algorithms 1 and 4; the chunks are unrolled into the graph and follow each other by
 * `after`. Where there are many queries, as in self-attention, they go in stretches as well.
 */
import { tf } from '../engine/tf.js';
import { after } from '../engine/ordering.js';
import { chunkLength, stretches, type Stretch } from './chunks.js';

/** Factors of logits: queries [request, query, width], keys [request, behaviour, width]. */
export interface Factors {
  readonly queries: tf.Tensor3D;
  readonly keys: tf.Tensor3D;
}

export interface LongAttention {
  /** Heads side by side, already scaled; without them there is one head, and its logits are the shared ones. */
  readonly own?: Factors & { readonly heads: number };
  /** Added to every head's logits. */
  readonly shared: Factors;
  /** Heads side by side: [request, behaviour, value]. */
  readonly values: tf.Tensor3D;
}

/** O: [request, query, value], heads side by side; Z: [request, query, head]. */
export interface Attended {
  readonly vector: tf.Tensor3D;
  readonly logSums: tf.Tensor3D;
}

export function chunkedAttention({ own, shared, values }: LongAttention, size = chunkLength): Attended {
  const heads = own?.heads ?? 1;
  const sizes = {
    heads,
    own: own ? own.keys.shape[2] / heads : 0,
    shared: shared.keys.shape[2],
    value: values.shape[2] / heads,
  };
  const queries = tf.concat([...(own ? [own.queries] : []), shared.queries], 2);
  const rows = tf.concat([...(own ? [own.keys] : []), shared.keys, values], 2);
  const withGradient = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [q, r] = args as tf.Tensor[] as [tf.Tensor3D, tf.Tensor3D];
    const value = forward(q, r, sizes, size);
    save([value, q, r]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [out, q, r] = saved as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
      return backward(dy as tf.Tensor3D, out, q, r, sizes, size);
    };
    return { value, gradFunc };
  });
  const [vector, logSums] = tf.split(withGradient(queries, rows), [values.shape[2], heads], 2);
  return { vector: vector as tf.Tensor3D, logSums: logSums as tf.Tensor3D };
}

/** Widths of what one head has, and how many heads. */
interface Sizes {
  readonly heads: number;
  readonly own: number;
  readonly shared: number;
  readonly value: number;
}

/** [request, query, own and shared factors], [request, behaviour, own and shared factors and values] -> [request, query, O and Z]. */
function forward(queries: tf.Tensor3D, rows: tf.Tensor3D, sizes: Sizes, size: number): tf.Tensor3D {
  let done: tf.Tensor[] = [];
  const blocks = stretches(queries.shape[1], size).map((block) => {
    let running: Running[] = [];
    for (const chunk of stretches(rows.shape[1], size)) {
      running = tf.tidy(() => addChunk(after(cut(queries, block), done), cut(rows, chunk), running, sizes));
      done = running.map(({ weighted }) => weighted);
    }
    const parts = running.map(({ top, weighted }) => {
      const [sums, total] = tf.split(weighted, [sizes.value, 1], 2) as [tf.Tensor3D, tf.Tensor3D];
      return { vector: tf.div(sums, total), logSum: tf.add(top, tf.log(total)) };
    });
    return tf.concat([...parts.map(({ vector }) => vector), ...parts.map(({ logSum }) => logSum)], 2);
  });
  return tf.concat(blocks, 1) as tf.Tensor3D;
}

/** Of one head and the behaviours so far: m [request, query, 1] and A [request, query, value + 1]. */
type Running = { readonly top: tf.Tensor; readonly weighted: tf.Tensor };

function addChunk(
  queries: tf.Tensor3D,
  rows: tf.Tensor3D,
  running: readonly Running[],
  sizes: Sizes,
): Running[] {
  const side = querySide(queries, sizes);
  const { keys, shared, values } = keySide(rows, sizes);
  return logitsOf(side, keys, shared, sizes).map((logits, h) => {
    const before = running[h];
    const highest = tf.max(logits, 2, true);
    const top = before ? tf.maximum(before.top, highest) : highest;
    const added = tf.matMul(tf.exp(tf.sub(logits, top)), values[h]!);
    const faded = before && tf.mul(before.weighted, tf.exp(tf.sub(before.top, top)));
    return { top, weighted: faded ? tf.add(faded, added) : added };
  });
}

/** Gradients of `queries` and `rows`; dy and out: [request, query, O and Z]. */
function backward(
  dy: tf.Tensor3D,
  out: tf.Tensor3D,
  queries: tf.Tensor3D,
  rows: tf.Tensor3D,
  sizes: Sizes,
  size: number,
): tf.Tensor[] {
  const { heads } = sizes;
  const parts = [...Array<number>(heads).fill(sizes.value), ...Array<number>(heads).fill(1)];
  const [outs, dys] = [tf.split(out, parts, 2), tf.split(dy, parts, 2)];
  // All that a chunk needs of a query, side by side, so that it waits for the chunk before as one.
  const perHead = Array.from({ length: heads }, (_, h) => {
    const D = tf.sum(tf.mul(dys[h]!, outs[h]!), 2, true);
    return [dys[h]!, tf.sub(dys[heads + h]!, D), outs[heads + h]!];
  });
  const whole = tf.concat([queries, ...perHead.flat()], 2) as tf.Tensor3D;
  const widths = [queries.shape[2], ...perHead.flatMap(() => [sizes.value + 1, 1])];

  const [blocks, chunks] = [stretches(queries.shape[1], size), stretches(rows.shape[1], size)];
  const dRows: tf.Tensor[] = [];
  let done: tf.Tensor[] = [];
  const dQueries = blocks.map((block) => {
    let dBlock: tf.Tensor | undefined;
    chunks.forEach((chunk, i) => {
      done = tf.tidy((): tf.Tensor[] => {
        const [q, ...ofHeads] = tf.split(after(cut(whole, block), done), widths, 2);
        const [dQ, dR] = chunkGradients(q as tf.Tensor3D, ofHeads, cut(rows, chunk), sizes);
        return [dBlock ? tf.add(dBlock, dQ) : dQ, dRows[i] ? tf.add(dRows[i], dR) : dR];
      });
      [dBlock, dRows[i]] = done as [tf.Tensor, tf.Tensor];
    });
    return dBlock!;
  });
  return [tf.concat(dQueries, 1), tf.transpose(tf.concat(dRows, 2), [0, 2, 1])];
}

/**
 * What one chunk gives to the gradients of the queries, [request, query, own and shared factors], and of its rows, transposed.
 * ofHeads: per head [dO ; dZ - D] and Z. Of [query, width]' [query, behaviour] only the narrow side is transposed.
 */
function chunkGradients(
  queries: tf.Tensor3D,
  ofHeads: readonly tf.Tensor[],
  rows: tf.Tensor3D,
  sizes: Sizes,
): [tf.Tensor, tf.Tensor] {
  const side = querySide(queries, sizes);
  const { keys, shared, values } = keySide(rows, sizes);
  const gradients = logitsOf(side, keys, shared, sizes).map((logits, h) => {
    const [dOut, logSum] = [ofHeads[2 * h]!, ofHeads[2 * h + 1]!];
    const P = tf.exp(tf.sub(logits, logSum));
    const dL = tf.mul(P, tf.matMul(dOut, values[h]!, false, true));
    const dO = tf.slice(dOut, [0, 0, 0], [-1, -1, sizes.value]);
    return { dL, dV: tf.matMul(dO, P, true) };
  });
  const dS = gradients.map(({ dL }) => dL).reduce((sum, dL) => tf.add(sum, dL));
  const dQ = keys.map((key, h) => tf.matMul(gradients[h]!.dL, key));
  const dK = keys.map((_, h) => tf.matMul(side.own[h]!, gradients[h]!.dL, true));
  return [
    tf.concat([...dQ, tf.matMul(dS, shared)], 2),
    tf.concat([...dK, tf.matMul(side.shared, dS, true), ...gradients.map(({ dV }) => dV)], 1),
  ];
}

const cut = (x: tf.Tensor3D, { from, count }: Stretch): tf.Tensor3D =>
  tf.slice(x, [0, from, 0], [-1, count, -1]);

/** Per head [request, query, own], and U. */
function querySide(queries: tf.Tensor3D, { heads, own, shared }: Sizes) {
  const parts = tf.split(queries, own === 0 ? [shared] : [...Array<number>(heads).fill(own), shared], 2);
  return { own: parts.slice(0, -1), shared: parts.at(-1)! };
}

/** Per head [request, behaviour, own] and [V ; 1], and E. */
function keySide(rows: tf.Tensor3D, { heads, own, shared, value }: Sizes) {
  const ofHeads = (width: number) => Array<number>(heads).fill(width);
  const parts = tf.split(rows, [...(own === 0 ? [] : ofHeads(own)), shared, ...ofHeads(value)], 2);
  const ones = tf.ones([rows.shape[0], rows.shape[1], 1]);
  return {
    keys: parts.slice(0, -heads - 1),
    shared: parts.at(-heads - 1)!,
    values: parts.slice(-heads).map((part) => tf.concat([part, ones], 2)),
  };
}

/** L of each head: [request, query, behaviour]. */
function logitsOf(
  queries: ReturnType<typeof querySide>,
  keys: readonly tf.Tensor[],
  shared: tf.Tensor,
  { heads }: Sizes,
): tf.Tensor[] {
  const S = tf.matMul(queries.shared, shared, false, true);
  if (keys.length === 0) return Array<tf.Tensor>(heads).fill(S);
  return keys.map((key, h) => tf.add(tf.matMul(queries.own[h]!, key, false, true), S));
}
