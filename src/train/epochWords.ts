/** What a training says at the end of an epoch: `epoch 2, step 212, validation AUC 0.7885 (best); click_a 0.4676 (84 %), …, loss 0.5567`. */
import type { EpochReport } from './fitPlan.js';

/** Name in a training's log of what part of the loss a term is, its weight included. */
export const lossShare = (term: string) => `${sharePrefix}${term}`;
const sharePrefix = 'loss_share/';

export function epochWords(
  { epoch, step, validationAuc, terms, measures }: EpochReport,
  isBest: boolean,
): string {
  const isShown = (name: string) =>
    !['gradient_norm', 'learning_rate'].includes(name) && !name.startsWith(sharePrefix);
  const numbers = [
    ...Object.entries(terms).filter(([name]) => isShown(name)),
    ...Object.entries(measures),
  ].map(([name, value]) => {
    const share = terms[lossShare(name)];
    const part = share === undefined ? '' : ` (${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %)`;
    return `${name} ${value.toFixed(4)}${part}`;
  });
  const validated =
    validationAuc === null ? '' : `, validation AUC ${validationAuc.toFixed(4)}${isBest ? ' (best)' : ''}`;
  return `epoch ${epoch}, step ${step}${validated}; ${numbers.join(', ')}`;
}
