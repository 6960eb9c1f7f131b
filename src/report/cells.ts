/** What stands in the cells of tables. */
import type { Estimate } from '../metrics/bootstrap.js';
import { bracket } from '../metrics/numbers.js';
import { html, type Content, type Html } from './html.js';

/** A value with its interval below; the first of its line is marked for the eye and for the ear. */
export function estimateCell(
  estimate: Estimate & { readonly value: number },
  written: (value: number) => string,
  isFirst = false,
): Content {
  const value = written(estimate.value);
  const interval = bracket(estimate, written).trim();
  return [
    isFirst ? html`<strong>${value}<span class="unseen"> (first)</span></strong>` : value,
    interval === '' ? null : html`<span class="interval">${interval}</span>`,
  ];
}

/** An en dash that says why there is no value. */
export const notComputed = (why: string): Html => html`<abbr title="not computed: ${why}">–</abbr>`;

/** Whole numbers with thin spaces between thousands. */
export const count = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, '\u202f');

export const percentage = (share: number): string => `${(100 * share).toFixed(1)} %`;
