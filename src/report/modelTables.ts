/** Tables with a column for each model: metrics, paired differences, slices. The teacher stands apart, since it is no rival. */
import type { Estimate } from '../metrics/bootstrap.js';
import { modelNames, type MetricRow, type ModelName } from '../metrics/metricRow.js';
import { decimals } from '../metrics/numbers.js';
import { outcomeOf } from '../metrics/verdict.js';
import { count, estimateCell, notComputed } from './cells.js';
import { html, type Content, type Html } from './html.js';
import type { Difference } from './input.js';
import { minus, modelWords, signed, wordsOf } from './words.js';

/** One line: its name, a cell for each model, and how many rows or groups entered. */
interface Line {
  readonly name: Content;
  readonly cell: (model: ModelName) => Content;
  readonly n?: number;
}

function modelTable(
  caption: string,
  corner: string,
  models: readonly ModelName[],
  lines: readonly Line[],
): Html {
  const apart = (model: ModelName) => (model === 'teacher' ? 'number apart' : 'number');
  const hasN = lines.some(({ n }) => n !== undefined);
  return html`<table class="models">
    <caption>
      ${caption}
    </caption>
    <thead>
      <tr>
        <th scope="col">${corner}</th>
        ${models.map(
          (model) =>
            html`<th scope="col" class="${apart(model)}">${swatch(model)}${modelWords[model].label}</th>`,
        )}
        ${hasN && html`<th scope="col" class="number n">n</th>`}
      </tr>
    </thead>
    <tbody>
      ${lines.map(
        ({ name, cell, n }) =>
          html`<tr>
            <th scope="row">${name}</th>
            ${models.map((model) => html`<td class="${apart(model)}">${cell(model)}</td>`)}
            ${hasN && html`<td class="number faint">${n !== undefined && count(n)}</td>`}
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** The colour of a model, as in the charts. */
export const swatch = (model: ModelName): Html =>
  html`<span class="swatch" style="background:${modelWords[model].colour}"></span>`;

/** Metrics in lines; below, why those are missing that no model has. */
export function metricTable(caption: string, rows: readonly MetricRow[]): Html {
  const metrics = [...new Set(rows.map(({ metric }) => metric))];
  const missing = metrics.filter((metric) =>
    rows.every((row) => row.metric !== metric || row.value === null),
  );
  const lines = metrics.map((metric) =>
    metricLine(
      metric,
      [wordsOf(metric).label, wordsOf(metric).lowerIsBetter && lower],
      rows.filter((row) => row.metric === metric),
    ),
  );
  const reasons = missing.map((metric) => `${wordsOf(metric).label}: ${wordsOf(metric).missing}`);
  return html`${modelTable(caption, 'Metric', modelsOf(rows), lines)}
  ${reasons.length > 0 && html`<p class="note">– = not computed. ${reasons.join('; ')}.</p>`}`;
}

const lower = html` <span title="lower is better" aria-label="lower is better">↓</span>`;

/** One metric in lines of slices. */
export function sliceTable(caption: string, rows: readonly MetricRow[]): Html {
  const slices = [...new Set(rows.map(({ slice }) => slice))];
  const lines = slices.map((slice) => {
    const ofSlice = rows.filter((row) => row.slice === slice);
    return metricLine(ofSlice[0]?.metric ?? '', slice, ofSlice);
  });
  return modelTable(caption, 'Slice', modelsOf(rows), lines);
}

/** rows: one a model. */
function metricLine(metric: string, name: Content, rows: readonly MetricRow[]): Line {
  const first = firstOf(metric, rows);
  return {
    name,
    n: Math.max(...rows.map(({ n }) => n)),
    cell(model) {
      const row = rows.find((one) => one.model === model);
      if (!row) return notComputed('not measured in this run');
      if (row.value === null) return notComputed(wordsOf(metric).missing);
      if (model === 'teacher' && metric.startsWith('teacher_')) return notComputed('the teacher is the mark');
      return estimateCell({ ...row, value: row.value }, (value) => minus(decimals(value)), model === first);
    },
  };
}

/** The first pre-ranker, or none where the first two are equal. */
function firstOf(metric: string, rows: readonly MetricRow[]): ModelName | undefined {
  const sign = wordsOf(metric).lowerIsBetter ? -1 : 1;
  const [first, second] = rows
    .flatMap(({ model, value }) => (model === 'teacher' || value === null ? [] : [{ model, value }]))
    .sort((a, b) => sign * (b.value - a.value));
  return first && second && first.value !== second.value ? first.model : undefined;
}

/** model − two_tower with intervals, and in a word what they say. */
export function differenceTable(rows: readonly Difference[]): Html {
  const keys = [...new Set(rows.map(({ set, metric }) => `${set} ${metric}`))];
  const lines = keys.map((key): Line => {
    const ofKey = rows.filter(({ set, metric }) => `${set} ${metric}` === key);
    const { set, metric } = ofKey[0]!;
    return {
      name: `${wordsOf(metric).label}, set ${set.toUpperCase()}`,
      cell(model) {
        const row = ofKey.find((one) => one.model === model);
        if (!row) return notComputed('not measured in this run');
        if (row.value === null) return notComputed(wordsOf(metric).missing);
        return [estimateCell({ ...row, value: row.value }, signed), saying(metric, row)];
      },
    };
  });
  const caption = 'Model − two-tower, on the same resamples of users';
  return modelTable(caption, 'Metric', modelsOf(rows), lines);
}

/** What a paired interval says: better, level or worse than the two-tower. */
function saying(metric: string, estimate: Estimate): Content {
  const outcome = outcomeOf(estimate);
  if (outcome === 'unjudged') return null;
  const turned = { better: 'worse', level: 'level', worse: 'better' } as const;
  const said = wordsOf(metric).lowerIsBetter ? turned[outcome] : outcome;
  return html`<span class="said ${said}">${said}</span>`;
}

/** The models of some rows in the order of the closed list: baseline first, teacher last. */
export function modelsOf(rows: readonly { readonly model: ModelName }[]): ModelName[] {
  return modelNames.filter((name) => rows.some(({ model }) => model === name));
}
