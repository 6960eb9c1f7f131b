/** What a training says at the end of an epoch: `epoch 2, step 212, validation AUC 0.7885 (best); click_a 0.4676, loss 0.5110`. */
import type { EpochReport } from './fitPlan.js';

export function epochWords(
  { epoch, step, validationAuc, terms, measures }: EpochReport,
  isBest: boolean,
): string {
  const numbers = [
    ...Object.entries(terms).filter(([name]) => !['gradient_norm', 'learning_rate'].includes(name)),
    ...Object.entries(measures),
  ].map(([name, value]) => `${name} ${value.toFixed(4)}`);
  const validated =
    validationAuc === null ? '' : `, validation AUC ${validationAuc.toFixed(4)}${isBest ? ' (best)' : ''}`;
  return `epoch ${epoch}, step ${step}${validated}; ${numbers.join(', ')}`;
}
