import { tf } from '../engine/tf.js';
import { factorOf, paddedBias, type AttentionInputs } from './attention.js';
import { lookUpPersonal } from './personalTable.js';
import { attentionWeights, logitGradients, splitHeads, sumsPerHead } from './scaledDotProduct.js';

/**
 * What codes attended to, looked up by candidates each of which has a bias on its logits of its own. In value that bias is the code's, as
 * with a straight-through query; its gradient is that of attention, and all others are those of the look-up, so that no candidate
 * attends:
 *   Y_q = factor [O_1 … O_heads] of q's code          dbias_q = Σ_h P_h ∘ (dO_h V_h' - D_h), P of q's code
 * with dO = factor dY and D_h the row sums of dY_h ∘ Y_h (scaledDotProduct.ts).
 *
 * attended: [request, code, width], by `attend` of `inputs`, whose weights P are recorded once for both; codes: [request, candidate];
 * bias: [request, candidate, behaviour], of which only the gradient is used -> [request, candidate, width].
 */
export function lookUpAttended(
  attended: tf.Tensor3D,
  codes: tf.Tensor2D,
  bias: tf.Tensor3D,
  inputs: AttentionInputs,
): tf.Tensor3D {
  const { queries, keys, values, mask, heads, gate } = inputs;
  const withGradient = tf.customGrad((...args) => {
    const [vectors, , save] = args as unknown as [tf.Tensor3D, tf.Tensor3D, tf.GradSaveFunc];
    const weights = attentionWeights(queries, keys, paddedBias(mask, inputs.bias), heads);
    save([vectors, factorOf(mask, gate), codes, ...weights, ...splitHeads(values, heads)]);
    const gradFunc = (dy: tf.Tensor, [y, factor, chosen, ...perHead]: tf.Tensor[]) => {
      const P = perHead.slice(0, heads).map((p) => lookUpPersonal(p as tf.Tensor3D, chosen as tf.Tensor2D));
      const V = perHead.slice(heads);
      const dO = splitHeads(tf.mul(dy, factor!), heads);
      const D = splitHeads(sumsPerHead(tf.mul(dy, y!), heads), heads);
      return [dy, logitGradients(P, dO, V, D).reduce((sum, l) => tf.add(sum, l))];
    };
    return { value: tf.clone(vectors), gradFunc };
  });
  return withGradient(lookUpPersonal(attended, codes), bias);
}
