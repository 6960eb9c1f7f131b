import { expect, it } from 'vitest';
import { epochWords, lossShare } from './epochWords.js';

it('gives every term with its share of the loss, and leaves out what no one reads by epoch', () => {
  const terms = { click_a: 0.4676, tutor: 2.5, loss: 1, gradient_norm: 3, learning_rate: 0.1 };
  const shares = { [lossShare('click_a')]: 0.004, [lossShare('tutor')]: 0.996 };
  const report = {
    epoch: 2,
    step: 212,
    validationAuc: 0.7885,
    terms: { ...terms, ...shares },
    measures: { error: 0.2 },
  };
  expect(epochWords(report, true)).toBe(
    'epoch 2, step 212, validation AUC 0.7885 (best); click_a 0.4676 (0.4 %), tutor 2.5000 (100 %), loss 1.0000, error 0.2000',
  );
});
