/** Numbers as a reader wants them: `.7712`, `.0311 [.0280, .0340]`, `61 %`. */
import type { Estimate } from './bootstrap.js';

/** Fixed decimals without the leading zero of a share; a value that rounds to 0 has no sign. */
export function decimals(value: number, digits = 4): string {
  const fixed = value.toFixed(digits).replace(/^(-?)0\./, '$1.');
  return /[1-9]/.test(fixed) ? fixed : fixed.replace('-', '');
}

/** ` [.0280, .0340]`, or nothing where there is no interval. */
export function bracket({ low, high }: Estimate, written: (value: number) => string = decimals): string {
  return low === null || high === null ? '' : ` [${written(low)}, ${written(high)}]`;
}

/** A share in whole percent, without the sign: `61`. */
export const percent = (share: number): string => decimals(100 * share, 0);
