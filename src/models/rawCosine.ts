import { tf } from '../engine/tf.js';
import { paddingBias } from '../layers/attention.js';
import type { Dimensions } from '../layers/inputs.js';
import { dotWithEach, unit } from '../layers/normalize.js';
import { meanPool, weightedSum } from '../layers/pool.js';
import { recencyBias, recencyInitial } from '../layers/recency.js';
import type { PreRanker } from './preRanker.js';
import { primed, primedInitial } from '../layers/primed.js';

/**
 * A term of raw similarity: the candidate's embeddings against a pool of the behaviours' embeddings, no tower in between.
 *   score = w cos(Σ_j p_j e_j, e_candidate),  w = 100 w', w' starting at 0
 *   p_j = 1/n, or with `recency` softmax_j(r[age_j]) over the real behaviours, r starting at 0, age 0 = newest
 * sequence: [request, behaviour, shared]; item: [..., shared].
 * Still one vector product per candidate. On two real sets it is the rival that attention has to beat
 * (reference-experiments.md section 3; tangent-codes.md sections 1 and 8).
 */
/**
 * A cosine is small beside a logit: its weight wants to be ten or so, where those of counts want to be one. With 10 it gets there late:
 * test AUC of the plain rival on Taobao .741 and with recency .830, not .752 and .835 (seed 1). A start at 5 gives .754 and .838 there and
 * costs .015 on KuaiRand, where the term is of no use.
 */
export const cosineFactor = 100;

export function rawCosine({ behaviours }: Dimensions, options: { readonly recency: boolean }): PreRanker {
  return {
    initial: () => ({
      ...primedInitial('weight'),
      ...(options.recency && recencyInitial(behaviours)),
    }),
    userSide(_user, _context, { x, mask }, parameters) {
      if (!options.recency) return { pool: unit(meanPool(x, mask)) };
      const logits = tf.add(recencyBias(parameters, mask.shape[1]), paddingBias(mask));
      const weights = tf.mul<tf.Tensor2D>(tf.softmax(logits), mask);
      return { pool: unit(weightedSum(x, weights)) };
    },
    itemSide: (item) => ({ shared: unit(item.shared) }),
    score: (user, item, parameters) =>
      tf.mul<tf.Tensor2D>(dotWithEach(user.pool!, item.shared!), primed(parameters, 'weight', cosineFactor)),
  };
}
