/**
 * Attention of all heads with a gradient of its own.
 *   P_h = softmax(Q_h K_h' / sqrt(width / heads) + bias)        O_h = P_h V_h        Y = factor [O_1 … O_heads]
 * Backward, with dO = factor dY, D_h the row sums of dO_h ∘ O_h, and dfactor the sum of dY ∘ O:
 *   dV_h' = dO_h' P_h        dL_h = P_h ∘ (dO_h V_h' - D_h)        dQ_h = dL_h K_h        dK_h' = Q_h' dL_h        dbias = Σ_h dL_h
 * What tfjs derives from the same operations is slower by a quarter: it takes D_h from P_h ∘ dP_h and not from the narrow O
 * (Dao et al. 2022, FlashAttention, appendix B), transposes the wide side of products and pads each
 * head's gradient to the full width to add them up. Heads are kept apart: one head's logits stay in the processor's cache.
 */
import { tf } from '../engine/tf.js';

/**
 * queries: [request or 1, query, width]; keys, values: [request, behaviour, width]; bias: broadcast to [request, query, behaviour],
 * added to every head's logits; factor: [request, 1, 1], what the result is multiplied by -> [request, query, width].
 */
export function scaledDotProduct(
  queries: tf.Tensor3D,
  keys: tf.Tensor3D,
  values: tf.Tensor3D,
  bias: tf.Tensor3D,
  factor: tf.Tensor3D,
  heads: number,
): tf.Tensor3D {
  const scaled = scaledBy(keys, heads);
  const split = (x: tf.Tensor) => splitHeads(x, heads);
  const join = (parts: tf.Tensor[], axis: number) => (heads === 1 ? parts[0]! : tf.concat(parts, axis));

  const withGradient = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [q, k, v, b, f] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const [qs, ks, vs] = [split(q), split(k), split(v)];
    const weights = attentionWeights(q, k, b, heads);
    const joined = join(
      weights.map((p, h) => tf.matMul(p, vs[h]!)),
      2,
    );
    save([joined, f, ...qs, ...ks, ...vs, ...weights]);

    const gradFunc = (dy: tf.Tensor, [o, by, ...saved]: tf.Tensor[]) => {
      const perHead = (at: number) => saved.slice(at * heads, (at + 1) * heads);
      const [Q, K, V, P] = [perHead(0), perHead(1), perHead(2), perHead(3)];
      const dO = split(tf.mul(dy, by!));
      const sums = sumsPerHead(tf.mul(dy, o!), heads);
      const dL = logitGradients(P, dO, V, split(tf.mul(sums, by!)));
      // Of [query, width]' [query, behaviour] only the narrow side is transposed, and the result once for all heads.
      const column = (narrow: tf.Tensor, wide: tf.Tensor) => tf.matMul(narrow, wide, true);
      const joinColumns = (parts: tf.Tensor[]) => tf.transpose(join(parts, 1), [0, 2, 1]);
      const dQ = join(
        dL.map((l, h) => scaled(tf.matMul(l, K[h]!))),
        2,
      );
      const dK = joinColumns(dL.map((l, h) => scaled(column(Q[h]!, l))));
      const dV = joinColumns(P.map((p, h) => column(dO[h]!, p)));
      const dBias = dL.reduce((sum, l) => tf.add(sum, l));
      return [sumTo(dQ, q.shape), dK, dV, sumTo(dBias, b.shape), tf.sum(sums, [1, 2], true)];
    };
    return { value: tf.mul(joined, f), gradFunc };
  });
  return withGradient(queries, keys, values, bias, factor) as tf.Tensor3D;
}

/** P_h, per head [request, query, behaviour], of what `scaledDotProduct` is given. */
export function attentionWeights(
  queries: tf.Tensor,
  keys: tf.Tensor,
  bias: tf.Tensor,
  heads: number,
): tf.Tensor3D[] {
  const scaled = scaledBy(keys, heads);
  const ks = splitHeads(keys, heads);
  return splitHeads(queries, heads).map((q, h) =>
    tf.softmax(tf.add<tf.Tensor3D>(scaled(tf.matMul(q, ks[h]!, false, true)), bias)),
  );
}

/** dL_h = P_h ∘ (dO_h V_h' - D_h), per head [request, query, behaviour]; D: per head [request, query, 1]. */
export const logitGradients = (
  P: readonly tf.Tensor[],
  dO: readonly tf.Tensor[],
  V: readonly tf.Tensor[],
  D: readonly tf.Tensor[],
): tf.Tensor[] => P.map((p, h) => tf.mul(p, tf.sub(tf.matMul(dO[h]!, V[h]!, false, true), D[h]!)));

/** Row sums of heads side by side: [request, query, width] -> [request, query, head]. */
export function sumsPerHead(x: tf.Tensor, heads: number): tf.Tensor {
  const [requests, rows, width] = x.shape as [number, number, number];
  return tf.sum(tf.reshape(x, [requests, rows, heads, width / heads]), 3);
}

/** Heads side by side, one by one: [..., row, width] -> per head [..., row, width / heads]. */
export const splitHeads = (x: tf.Tensor, heads: number): tf.Tensor[] =>
  heads === 1 ? [x] : tf.split(x, heads, 2);

/** Times 1 / sqrt(width / heads). Of a product: ONNX Runtime then scales while it multiplies. */
const scaledBy = (keys: tf.Tensor, heads: number) => {
  const scale = 1 / Math.sqrt(keys.shape[2]! / heads);
  return (product: tf.Tensor) => tf.mul(product, scale);
};

/** The gradient of what was broadcast from `shape`. */
function sumTo(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const axes = shape.flatMap((size, axis) => (size === 1 && x.shape[axis] !== 1 ? [axis] : []));
  return axes.length === 0 ? x : tf.sum(x, axes, true);
}
