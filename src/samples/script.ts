/**
 * The SQL of the samples, from canonical tables to long sorted rows, as data: views by name, and the queries of the four sinks.
 * On one machine the stage runs the views in DuckDB, those of set B chunk by chunk, keeps what is computed once in files, and groups
 * what the sinks stream; on Spark the same text runs as a script.
 */
import { readyViews, requestViews, sourceViews } from './requests.js';
import { exposureRows, exposureViews } from './exposures.js';
import { itemFrequencyRows, popularityViews } from './popularity.js';
import { corpusViews, drawViews } from './negatives.js';
import { sequenceRows, sequenceViews } from './sequences.js';
import { keptViews, truncatedRows, truncatedViews } from './truncated.js';
import type { LogFiles, ScriptSettings, SplitDays, View } from './settings.js';
import type { Chunk } from './chunks.js';
import type { Dialect } from './dialect.js';

/** What must be known before the days of the splits can be: which requests are ready. */
export const firstViews = (dialect: Dialect, settings: ScriptSettings, files: LogFiles): View[] => [
  ...sourceViews(dialect, settings, files),
  ...readyViews(),
];

export const laterViews = (dialect: Dialect, settings: ScriptSettings, days: SplitDays): View[] => [
  ...requestViews(days),
  ...sequenceViews(settings),
  ...exposureViews(),
  ...popularityViews(),
  ...truncatedViews(dialect, settings),
  ...corpusViews(dialect, settings),
];

/** What set B's rows are made of, for a chunk of its requests, or for all. */
export const chunkViews = (dialect: Dialect, settings: ScriptSettings, chunk?: Chunk): View[] => [
  ...keptViews(settings, chunk),
  ...drawViews(dialect, settings),
];

/** Queries whose rows are what the stage writes. */
export const sinks = (dialect: Dialect, settings: ScriptSettings, chunk?: Chunk) => ({
  samples_a: exposureRows(chunk),
  samples_b: truncatedRows(settings.b),
  sequences: sequenceRows(dialect),
  item_freq: itemFrequencyRows(),
});

/** The statement that makes a view. */
export const statementOf = (dialect: Dialect, { name, query, once }: View) =>
  once ? dialect.table(name, query) : dialect.view(name, query);

/** The whole script as text, for an engine that is run from outside: sinks go to folders of `out`. */
export function scriptText(
  dialect: Dialect,
  settings: ScriptSettings,
  files: LogFiles,
  days: SplitDays,
  out: string,
): string {
  const views = [
    ...firstViews(dialect, settings, files),
    ...laterViews(dialect, settings, days),
    ...chunkViews(dialect, settings),
  ];
  const writes = Object.entries(sinks(dialect, settings)).map(([name, query]) =>
    dialect.sink(`${out}/${name}`, query),
  );
  return [...dialect.prelude, ...views.map((view) => statementOf(dialect, view)), ...writes]
    .map((statement) => `${statement};\n`)
    .join('\n');
}
