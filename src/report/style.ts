/** The look of the report: dark on light, one column, fit for the screen and for A4. Nothing is fetched, fonts included. */
import { trusted } from './html.js';

export const style = trusted(`
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #1a1a1a; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 40px 24px 64px; }
.about { margin: 0; color: #595959; }
h1 { margin: 0; font-size: 17px; font-weight: 600; }
h2 { margin: 44px 0 6px; padding-top: 14px; border-top: 1px solid #d0d0d0; font-size: 20px; }
h3 { margin: 22px 0 4px; font-size: 15px; }
p { max-width: 72ch; margin: 6px 0; }
.verdict { max-width: 60ch; margin: 26px 0 22px; padding-left: 18px; border-left: 5px solid #9a9a9a; font-size: 23px; line-height: 1.4; text-wrap: pretty; }
.verdict.better { border-color: #0060a8; }
.verdict.worse { border-color: #b3261e; }
.facts { display: flex; flex-wrap: wrap; gap: 8px 36px; margin: 0 0 8px; padding: 0; }
.facts dt { color: #595959; font-size: 13px; }
.facts dd { margin: 0; font-size: 21px; font-variant-numeric: tabular-nums; }
.facts .interval { font-size: 12px; }
table { width: 100%; margin: 14px 0 6px; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { padding-bottom: 4px; text-align: left; font-weight: 600; }
th, td { padding: 5px 8px; border-bottom: 1px solid #e4e4e4; text-align: left; vertical-align: top; }
th { font-weight: 400; }
table.models { table-layout: fixed; }
table.models th:first-child { width: 10em; }
table.models th.n { width: 4.5em; }
table.small { width: auto; }
table.small th, table.small td { padding-right: 14px; padding-left: 14px; }
thead th { border-bottom: 1px solid #1a1a1a; font-size: 13px; line-height: 1.25; vertical-align: bottom; }
tbody th { white-space: nowrap; }
.number { text-align: right; }
td.number { white-space: nowrap; }
.apart { border-left: 1px solid #9a9a9a; background: #f5f5f5; }
.faint, .note, .interval { color: #595959; }
.interval { display: block; font-size: 11px; line-height: 1.2; }
.note { font-size: 13px; }
strong { font-weight: 700; text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 3px; }
abbr { text-decoration: none; cursor: help; }
.said { display: block; font-size: 12px; color: #595959; }
.said.better { color: #00508c; font-weight: 600; }
.said.worse { color: #b3261e; font-weight: 600; }
.swatch { display: inline-block; width: 10px; height: 10px; margin-right: 5px; border-radius: 2px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 6px 0; padding: 0; list-style: none; font-size: 13px; }
.pictures { display: flex; flex-wrap: wrap; gap: 8px 20px; }
figure { margin: 12px 0 0; }
figcaption { font-size: 13px; font-weight: 600; }
svg { max-width: 100%; height: auto; }
.glossary { display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: 10px 0; font-size: 14px; }
.glossary dt { font-weight: 600; }
.glossary dd { margin: 0; }
summary { cursor: pointer; }
pre { padding: 14px; background: #f5f5f5; font: 12px/1.45 ui-monospace, "Liberation Mono", Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.scroll { overflow-x: auto; }
@page { size: A4; margin: 14mm; }
@media print {
  main { max-width: none; padding: 0; }
  body { font-size: 10.5pt; }
  table { font-size: 8.5pt; }
  thead th { font-size: 8pt; }
  th, td { padding: 3px 4px; }
  .interval { font-size: 7pt; }
  h2, h3, caption { break-after: avoid; }
  tr, figure, .verdict, .facts { break-inside: avoid; }
  .scroll { overflow: visible; }
  strong { text-decoration-thickness: 1px; text-underline-offset: 2px; }
  section:has(details:not([open])) { display: none; }
  .pictures { display: block; }
  .pictures figure { display: inline-block; }
}
`);
