import * as tf from '@tensorflow/tfjs';
import { internal } from '../errors.js';
import type { Dimensions } from '../layers/inputs.js';
import type { PreRanker } from './preRanker.js';
import { primed, primedInitial } from './weights.js';

/**
 * A term of exact match counts: how often the candidate's value of each shared field occurs in the sequence.
 *   score = Σ_f w_f log(1 + count_f(candidate)),  w_f starting at 0
 * The user side holds per field the distinct values in ascending order and their counts, [request, field, behaviour]; a serving
 * system looks the candidate's value up by binary search. Out-of-vocabulary values never match.
 * Source: tangent-codes.md sections 1 and 4 (the count table explains most of the "attention gap" of the Taobao slices).
 */
export function matchCount({ fields }: Dimensions): PreRanker {
  return {
    initial: () => primedInitial('weights', fields),
    userSide(_user, _context, { match }) {
      if (!match) return internal('match counts need the batch to carry match values');
      return { values: match.values, counts: match.counts };
    },
    itemSide: ({ matchValues }) => ({
      values: matchValues ?? internal('match counts need the items to carry match values'),
    }),
    score(user, item, parameters) {
      const weights = primed(parameters, 'weights');
      const [requests, candidates] = item.values!.shape as [number, number];
      const terms = Array.from({ length: fields }, (_, field) => {
        const value = tf.slice(item.values!, [0, 0, field], [-1, -1, 1]); // [request, candidate, 1]
        const known = tf.slice(user.values!, [0, field, 0], [-1, 1, -1]); // [request, 1, behaviour]
        const counts = tf.slice(user.counts!, [0, field, 0], [-1, 1, -1]);
        const count = tf.sum(tf.mul(tf.cast(tf.equal(value, known), 'float32'), counts), 2);
        return tf.mul(tf.log1p(count), tf.slice(weights, [field], [1]));
      });
      return tf.reshape(
        terms.reduce((sum, term) => tf.add(sum, term)),
        [requests, candidates],
      );
    },
  };
}
