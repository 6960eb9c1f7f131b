import { tf } from '../engine/tf.js';
import type { Initial } from '../engine/state.js';
import type { ItemState, PreRanker, TrainedScore, UserState } from './preRanker.js';
import { parametersOf, trainBlock } from './preRanker.js';

/**
 * A pre-ranker whose score is the sum of its parts' scores: a two-tower backbone and terms on top of it. Parameters and states of a
 * part go under its name: `towers/user/0/weight`.
 */
export function sumOf(parts: Readonly<Record<string, PreRanker>>): PreRanker {
  const entries = Object.entries(parts);
  const named = <T>(name: string, values: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}/${key}`, value]));
  const add = (scores: readonly tf.Tensor[]) =>
    scores.reduce((sum, score) => tf.add(sum, score)) as tf.Tensor2D;
  return {
    initial(stream) {
      const all: Initial[] = entries.map(([name, part]) => named(name, part.initial(stream)));
      return Object.assign({}, ...all) as Initial;
    },
    userSide(user, context, sequence, parameters) {
      const states = entries.map(([name, part]) =>
        named(name, part.userSide(user, context, sequence, parametersOf(parameters, name))),
      );
      return Object.assign({}, ...states) as UserState;
    },
    itemSide(item, parameters) {
      const states = entries.map(([name, part]) =>
        named(name, part.itemSide(item, parametersOf(parameters, name))),
      );
      return Object.assign({}, ...states) as ItemState;
    },
    score(user, item, parameters) {
      return add(
        entries.map(([name, part]) =>
          part.score(parametersOf(user, name), parametersOf(item, name), parametersOf(parameters, name)),
        ),
      );
    },
    ...attentionTermOf(entries),
    ...(entries.some(([, part]) => 'trainScore' in part) && {
      trainScore(inputs, parameters, guide): TrainedScore {
        const scored = entries.map(([name, part]) =>
          trainBlock(part, inputs, parametersOf(parameters, name), guide),
        );
        const vector = scored.find((part) => part.vector)?.vector;
        return {
          logits: add(scored.map(({ logits }) => logits)),
          terms: Object.assign({}, ...scored.map(({ terms }) => terms)) as TrainedScore['terms'],
          ...(vector && { vector }),
        };
      },
    }),
  };
}

/** The attention term of the part that has one. */
function attentionTermOf(entries: readonly (readonly [string, PreRanker])[]): Partial<PreRanker> {
  const found = entries.find(([, part]) => 'attentionTerm' in part);
  if (!found) return {};
  const [name, part] = found;
  return {
    attentionTerm: (inputs, parameters) => part.attentionTerm!(inputs, parametersOf(parameters, name)),
  };
}
