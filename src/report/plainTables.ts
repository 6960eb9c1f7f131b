/** Small tables of counts and shares: codebook health, sample sizes. */
import { decimals } from '../metrics/numbers.js';
import { count, notComputed, percentage } from './cells.js';
import { html, type Content, type Html } from './html.js';
import type { CodebookLevel, SampleCount } from './input.js';

export function codebookTable(levels: readonly CodebookLevel[]): Html {
  const heads = ['Level', 'Codes', 'Used', 'Ceiling', 'Perplexity', 'Collisions', 'Relative error'];
  const rows = levels.map((row) => [
    row.level,
    count(row.codes),
    percentage(row.usage),
    percentage(row.ceiling),
    row.perplexity.toFixed(1),
    percentage(row.collisions),
    decimals(row.relativeError, 3),
  ]);
  return html`${plainTable('Over the whole catalogue, after distillation', heads, rows)}
    <p class="note">
      Used: share of the codes that some item has; ceiling: the most that so many items could use. Perplexity:
      how many codes, evenly used, would be as varied. Collisions: items that share all codes up to this level
      with an earlier one. Relative error: what is left after this level, against the variance before.
    </p>`;
}

export function sampleTable(samples: readonly SampleCount[]): Html {
  const rows = samples.map(({ set, split, from, to, requests, candidates, positives }) => [
    `${set.toUpperCase()}, ${split}`,
    from === to ? from : `${from} to ${to}`,
    count(requests),
    count(candidates),
    candidates === 0 ? notComputed('there are no candidates') : percentage(positives / candidates),
  ]);
  return plainTable('Samples', ['Set, split', 'Days', 'Requests', 'Candidates', 'Positive'], rows);
}

/** The first column names the row. */
function plainTable(caption: string, heads: readonly string[], rows: readonly (readonly Content[])[]): Html {
  return html`<table class="small">
    <caption>
      ${caption}
    </caption>
    <thead>
      <tr>
        ${heads.map((head, i) => html`<th scope="col" class="${i === 0 ? '' : 'number'}">${head}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ([name = null, ...cells]) =>
          html`<tr>
            <th scope="row">${name}</th>
            ${cells.map((cell) => html`<td class="number">${cell}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
