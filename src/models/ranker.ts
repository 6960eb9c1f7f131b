import { tf } from '../engine/tf.js';
import type { RandomStream } from '../engine/random.js';
import type { Initial, Parameters } from '../engine/state.js';
import type { RequestInputs } from '../layers/inputs.js';
import { parametersOf, scoreBlock, type PreRanker } from './preRanker.js';

/** A model that may look at candidate and sequence together: the ranker's place, and the teacher of pre-rankers. */
export interface Ranker {
  initial(stream: RandomStream): Initial;
  /** Logits [request, candidate] and the interaction vector [request, candidate, width] that students approximate. */
  rank(inputs: RequestInputs, parameters: Parameters): { logits: tf.Tensor2D; vector: tf.Tensor3D };
}

/** A ranker with terms of a pre-ranker added to its score, their parameters under `terms/`. */
export function withTerms(ranker: Ranker, terms: PreRanker): Ranker {
  return {
    initial: (stream) => ({
      ...ranker.initial(stream),
      ...(Object.fromEntries(
        Object.entries(terms.initial(stream)).map(([name, value]) => [`terms/${name}`, value]),
      ) as Initial),
    }),
    rank(inputs, parameters) {
      const { logits, vector } = ranker.rank(inputs, parameters);
      return { logits: tf.add(logits, scoreBlock(terms, inputs, parametersOf(parameters, 'terms'))), vector };
    },
  };
}
