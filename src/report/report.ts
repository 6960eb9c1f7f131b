/**
 * The report of a run: one HTML file that needs nothing beside itself, on the screen and on paper. The verdict comes first; what
 * it rests on follows, from the metrics to the settings. The same input gives the same bytes.
 */
import type { Estimate } from '../metrics/bootstrap.js';
import { modelNames, type MetricRow, type ModelName } from '../metrics/metricRow.js';
import { bracket, decimals, percent } from '../metrics/numbers.js';
import type { Verdict } from '../metrics/verdict.js';
import { intervalChart } from './aucChart.js';
import { notComputed } from './cells.js';
import { calibrationChart, epochChart, lossChart } from './curves.js';
import { html, type Content, type Html } from './html.js';
import type { ReportInput } from './input.js';
import { differenceTable, metricTable, modelsOf, sliceTable, swatch } from './modelTables.js';
import { codebookTable, sampleTable } from './plainTables.js';
import { style } from './style.js';
import { minus, modelWords, signed, wordsOf } from './words.js';

export function reportHtml(report: ReportInput): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${report.run}: verdict on the pre-ranker</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <main>
          ${heading(report)} ${auc(report)} ${metrics(report)} ${slices(report)} ${calibration(report)}
          ${training(report)} ${codebook(report)} ${compared(report)} ${glossary(report)} ${settings(report)}
        </main>
      </body>
    </html> `;
  return page.text;
}

function heading({ run, data, student, seed, verdict }: ReportInput): Html {
  const { outcome, gap } = verdict.facts;
  const noGap = outcome === 'better' && gap?.open === false; // nothing to be proud of
  return html`<header>
    <h1>Run ${run}</h1>
    <p class="about">Data ${data} · student ${student} · seed ${seed}</p>
    <p class="verdict ${noGap ? 'level' : outcome}">${verdict.sentence}</p>
    ${facts(verdict)}
  </header>`;
}

/** The numbers of the sentence, side by side. */
function facts({ facts: { student, baseline, rival, teacher, closed, gap } }: Verdict): Html {
  const plain = (value: number) => minus(decimals(value));
  const share = (value: number) => `${minus(percent(value))} %`;
  const single = (value: number | null): Estimate => ({ value, low: null, high: null });
  const fact = (
    name: string,
    estimate: Estimate,
    written = plain,
    missing = 'not measured, or undefined on these rows',
  ) =>
    html`<div>
      <dt>${name}</dt>
      <dd>
        ${estimate.value === null ? notComputed(missing) : written(estimate.value)}
        <span class="interval">${bracket(estimate, written)}</span>
      </dd>
    </div>`;
  const bestRival = `Best simple rival: ${modelWords[rival.model].label.toLowerCase()}`;
  return html`<dl class="facts">
    ${fact('Student, AUC', single(student))} ${fact('Two-tower', single(baseline.value))}
    ${fact('Student − two-tower', baseline.difference, signed)} ${fact(bestRival, single(rival.value))}
    ${fact('Teacher', single(teacher))}
    ${fact('Gap closed', closed, share, gap?.open === false ? 'there is no gap' : 'the gap cannot be judged')}
  </dl>`;
}

function auc(report: ReportInput): Content {
  const rows = inOrder(mainRows(report, 'a').filter(({ metric }) => metric === 'auc'));
  if (!rows.some(({ value }) => value !== null)) return null;
  const differences = inOrder(
    report.differences.filter(({ set, metric }) => set === 'a' && metric === 'auc'),
  );
  return html`<section>
    <h2>AUC on test days</h2>
    <p>
      Exposures (set A). Bars are 95 % intervals, from resampling users. Intervals of two models may overlap
      and their difference still be sure, since both saw the same users: the second picture is the one to
      judge by.
    </p>
    <figure>
      <figcaption>AUC</figcaption>
      ${intervalChart('auc', 'AUC on set A, test days', rows)}
    </figure>
    ${
      differences.some(({ value }) => value !== null) &&
      html`<figure>
        <figcaption>AUC minus that of the two-tower, paired</figcaption>
        ${intervalChart('difference', 'AUC minus that of the two-tower, paired', differences, true)}
      </figure>`
    }
  </section>`;
}

function metrics(report: ReportInput): Html {
  const tables = [
    { set: 'a' as const, caption: 'Set A: exposures, test days' },
    { set: 'b' as const, caption: 'Set B: the space that the pre-ranker must sort, test days' },
  ].map(({ set, caption }) => ({ caption, rows: mainRows(report, set) }));
  return html`<section>
    <h2>Metrics</h2>
    <p>
      The first pre-ranker of each line is bold and underlined; whether it is first by more than chance, the
      paired differences say. The teacher stands apart, since it is no rival. Below a value: its 95 %
      interval. n: rows, users or requests that entered.
    </p>
    ${tables.map(({ caption, rows }) => rows.length > 0 && scrolling(metricTable(caption, rows)))}
    ${report.differences.length > 0 && scrolling(differenceTable(report.differences))}
  </section>`;
}

function slices({ metrics: rows }: ReportInput): Content {
  const sliced = rows.filter(
    ({ split, set, slice, metric }) => split === 'test' && set === 'a' && slice !== 'all' && metric === 'auc',
  );
  if (sliced.length === 0) return null;
  return html`<section>
    <h2>Slices</h2>
    ${scrolling(sliceTable('AUC on set A, test days', sliced))}
  </section>`;
}

function calibration({ calibration: curves }: ReportInput): Content {
  const drawable = curves.filter(({ bins }) => bins.length > 0);
  if (drawable.length === 0) return null;
  return html`<section>
    <h2>Calibration</h2>
    <p>
      Set A, test days, 20 bins with the same number of rows. On the dashed line, what is predicted is what
      happens; below it, the model promises too much.
    </p>
    ${legend(drawable)}
    <figure>${calibrationChart('calibration', drawable)}</figure>
  </section>`;
}

function training({ epochs, losses, durations }: ReportInput): Content {
  if (epochs.length === 0 && losses.length === 0) return null;
  return html`<section>
    <h2>Training</h2>
    ${legend([...epochs, ...losses])}
    ${
      epochs.length > 0 &&
      html`<figure>
        <figcaption>Validation AUC by epoch</figcaption>
        ${epochChart('epochs', epochs)}
      </figure>`
    }
    ${losses.length > 0 && lossPictures(losses)}
    ${durations !== undefined && html`<p>Time: ${durations.map(({ stage, took }) => `${stage} ${took}`).join(', ')}.</p>`}
  </section>`;
}

function lossPictures(losses: ReportInput['losses']): Html {
  const terms = [...new Set(losses.map(({ term }) => term))];
  const pictures = terms.map((term, i) => {
    const ofTerm = losses.filter((point) => point.term === term);
    return html`<figure>
      <figcaption>${term}</figcaption>
      ${lossChart(`loss-${i}`, term, ofTerm)}
    </figure>`;
  });
  return html`<h3>Loss terms by step</h3>
    <div class="pictures">${pictures}</div>`;
}

function codebook({ codebook: levels }: ReportInput): Content {
  if (levels.length === 0) return null;
  return html`<section>
    <h2>Codebook</h2>
    ${scrolling(codebookTable(levels))}
  </section>`;
}

function compared({ samples, metrics: rows, loggedTeacher }: ReportInput): Html {
  const models = [
    ...inOrder(rows).map(({ model }) => model),
    ...(loggedTeacher ? (['teacher'] as const) : []),
  ];
  const whatOf = (model: ModelName) =>
    (model === 'teacher' ? loggedTeacher : undefined) ?? modelWords[model].what;
  return html`<section>
    <h2>What was compared</h2>
    <dl class="glossary">
      ${[...new Set(models)].map(
        (model) =>
          html`<dt>${modelWords[model].label}</dt>
            <dd>${whatOf(model)} (<code>${model}</code>)</dd>`,
      )}
    </dl>
    ${samples.length > 0 && scrolling(sampleTable(samples))}
  </section>`;
}

function glossary(report: ReportInput): Html {
  const names = [...mainRows(report, 'a'), ...mainRows(report, 'b')].map(
    ({ metric }) => metric.split('@')[0] ?? metric,
  );
  const hasCutoffs = report.metrics.some(({ metric }) => metric.includes('@'));
  return html`<section>
    <h2>Glossary</h2>
    <dl class="glossary">
      ${[...new Set(names)].map(
        (name) =>
          html`<dt>${wordsOf(name).label}</dt>
            <dd>${wordsOf(name).what}</dd>`,
      )}
      ${
        hasCutoffs &&
        html`<dt>@k</dt>
          <dd>
            looking at the first k candidates of a request; mean over requests, ties count with their chance
          </dd>`
      }
      <dt>[low, high]</dt>
      <dd>95 % interval: the middle 95 % of the values when users are drawn anew with replacement</dd>
      <dt>Gap</dt>
      <dd>
        teacher − best simple rival; closed = (student − rival) / (teacher − rival), given only where the gap
        is surely above 0
      </dd>
    </dl>
  </section>`;
}

function settings({ settings: yaml }: ReportInput): Html {
  return html`<section>
    <h2>Settings</h2>
    <details>
      <summary>The resolved config</summary>
      <pre>${yaml}</pre>
    </details>
  </section>`;
}

// -------------------------------------------------------------------------------------------------------------- parts

/** Test rows of a set over all slices, for the metrics that a report shows. */
function mainRows({ metrics: rows }: ReportInput, set: MetricRow['set']): MetricRow[] {
  const names = ['auc', 'gauc', 'request_auc', 'logloss', 'ece', 'ndcg', 'recall', 'teacher_recall'];
  return rows.filter(
    (row) =>
      row.split === 'test' &&
      row.set === set &&
      row.slice === 'all' &&
      names.some((name) => row.metric === name || row.metric.startsWith(`${name}@`)),
  );
}

/** A wide table scrolls by itself on a narrow screen. */
const scrolling = (table: Html) => html`<div class="scroll">${table}</div>`;

const legend = (rows: readonly { readonly model: ModelName }[]) =>
  html`<ul class="legend">
    ${modelsOf(rows).map((model) => html`<li>${swatch(model)}${modelWords[model].label}</li>`)}
  </ul>`;

/** In the order of the closed list of models. */
const inOrder = <T extends { readonly model: ModelName }>(rows: readonly T[]): T[] =>
  modelNames.flatMap((name) => rows.filter(({ model }) => model === name));
