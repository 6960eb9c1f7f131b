import { tf } from '../engine/tf.js';
import { internal } from '../errors.js';
import type { Dimensions } from '../layers/inputs.js';
import type { PreRanker } from './preRanker.js';
import { primed, primedInitial } from '../layers/primed.js';

/**
 * A term of exact match counts: how often the candidate's value of each shared field occurs in the sequence.
 *   score = Σ_f w_f log(1 + count_f(candidate)),  w_f starting at 0
 * The user side holds per field the distinct values in ascending order and their counts, [request, field, behaviour]; the candidate's
 * value is looked up by binary search, whose cost grows with the logarithm of the sequence. Out-of-vocabulary values never match.
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
      const counts = occurrences(user.values as tf.Tensor3D, user.counts as tf.Tensor3D, item.values!);
      const terms = Array.from({ length: fields }, (_, field) => {
        const count = tf.squeeze(tf.slice(counts, [0, 0, field], [-1, -1, 1]), [2]); // [request, candidate]
        return tf.mul(tf.log1p(count), tf.slice(weights, [field], [1]));
      });
      return tf.reshape(
        terms.reduce((sum, term) => tf.add(sum, term)),
        [requests, candidates],
      );
    },
  };
}

/**
 * How often the wanted values occur; values: [request, field, behaviour], ascending; wanted: [request, candidate, field]
 * -> [request, candidate, field].
 */
function occurrences(values: tf.Tensor3D, counts: tf.Tensor3D, wanted: tf.Tensor): tf.Tensor {
  const [requests, fields, behaviours] = values.shape;
  const whole = (x: number) => tf.scalar(x, 'int32');
  const lists = Array.from({ length: requests * fields }, (_, list) => list * behaviours);
  const at = (x: tf.Tensor3D, place: tf.Tensor) => {
    const within = tf.minimum(place, whole(behaviours - 1));
    return tf.gather(tf.reshape(x, [-1]), tf.add(within, tf.tensor3d(lists, [requests, 1, fields], 'int32')));
  };
  // How many values are known to be smaller: grows by powers of 2, as long as the last of so many more is smaller too.
  let smaller: tf.Tensor = tf.zerosLike(wanted);
  for (let more = 2 ** Math.floor(Math.log2(behaviours)); more >= 1; more /= 2) {
    const isSmaller = tf.less(at(values, tf.add(smaller, whole(more - 1))), wanted);
    smaller = tf.add(smaller, tf.mul(tf.cast(isSmaller, 'int32'), whole(more)));
  }
  const isThere = tf.cast(tf.equal(at(values, smaller), wanted), 'float32');
  return tf.mul(isThere, at(counts, smaller));
}
