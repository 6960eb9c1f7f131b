/** Law 7: the text is portable, and run as a script it gives the rows that the stage writes. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildFrom, configOf, temporaryFolder } from '../../test/support/canonicalLogs.js';
import { randomLogs } from '../../test/support/randomLogs.js';
import { Duckdb } from '../data/duckdb.js';
import { duckdb, spark, type Dialect } from './dialect.js';
import { chunkViews, firstViews, laterViews, scriptText, sinks } from './script.js';
import type { ScriptSettings } from './settings.js';

const config = configOf({
  samples: {
    label: 'like',
    sequence: { events: ['click', 'like'], delay_seconds: 60 },
    b: {
      one_in: 2,
      max_candidates: 5,
      ranked_top: 2,
      negatives: [
        { kind: 'uniform', per_request: 2 },
        { kind: 'popularity', per_request: 2, power: 0.75 },
        { kind: 'popularity', per_request: 1, power: 0.25 },
      ],
    },
  },
});
const settings: ScriptSettings = { ...config.samples, seed: config.seed };
const days = { validationFrom: '2024-01-04', testFrom: '2024-01-05' };
const filesOf = (folder: string) => {
  const of = (table: string) => [join(folder, 'logs', table, 'part-00000.parquet')];
  return {
    requests: of('requests'),
    candidates: of('candidates'),
    feedback: of('feedback'),
    behaviours: of('behaviours'),
    items: of('items'),
  };
};

/** Stands for the dialect: what is left of the text is written the same for every engine. */
const neutral: Dialect = {
  prelude: [],
  column: (name) => `column_${name}`,
  epochMs: (time) => `ms_of(${time})`,
  time: (ms) => `time_of(${ms})`,
  hash: (text) => `h63(${text})`,
  series: (low, high, step) => `series_of(${low}, ${high}, ${step})`,
  parquet: () => 'files',
  view: (_, query) => query,
  table: (_, query) => query,
  sink: (_, query) => query,
};

/** What engines do differently (scale-out.md, section 4), or round differently, with a slip that must be caught. */
const forbidden: readonly (readonly [string, RegExp, string])[] = [
  ['ASOF joins', /\basof\b/i, 'a ASOF JOIN b'],
  ['list aggregates', /\b(list|array_agg|collect_list|string_agg)\s*\(/i, 'list(x ORDER BY y)'],
  ['unnest and series', /\b(unnest|explode|generate_series|sequence)\s*\(/i, 'unnest(x)'],
  ['transcendental functions', /\b(pow|power|exp|ln|log|log2|log10|sin|cos|tanh)\s*\(/i, 'exp(x)'],
  ['means of doubles', /\b(avg|mean|stddev\w*|var_\w+)\s*\(/i, 'avg(x)'],
  ['integer division', /\/\/|\bdiv\b/i, 'a // b'],
  ['hashes but md5', /\b(hash|xxhash64|crc32|sha1|sha2|sha256|murmur\w*)\s*\(/i, 'hash(x)'],
  ['EXCLUDE, REPLACE, BY NAME', /\bexclude\b|\breplace\b|\bby name\b/i, '* EXCLUDE (x)'],
  ['struct and list literals', /[{}[\]]/, '[1, 2]'],
  ['quoted identifiers', /["`]/, '"x"'],
  ['double colon casts', /::/, 'x::INT'],
  ['functions of times', /\b(strftime|epoch_ms|epoch|date_format|date_trunc)\s*\(/i, 'epoch_ms(x)'],
  ['concat, which treats null differently', /\bconcat\s*\(/i, "concat('a', x)"],
  ['rounding', /\bround\s*\(/i, 'round(x)'],
  ['casts to text types of one engine', /\b(varchar|text)\b/i, 'CAST(x AS VARCHAR)'],
  ['QUALIFY', /\bqualify\b/i, 'SELECT x QUALIFY y'],
  ['semi and anti joins by name', /\b(semi|anti)\s+join\b/i, 'LEFT SEMI JOIN b'],
  ['chance and clocks', /\b(random|rand|uuid|now|current_\w+)\s*\(/i, 'random()'],
  ['decimal literals', /(?<![\w.])\d+\.\d+(?!e)/i, '0.5 * x'],
];

const queries = () => [
  ...firstViews(neutral, settings, filesOf('')).map(({ query }) => query),
  ...laterViews(neutral, settings, days).map(({ query }) => query),
  ...chunkViews(neutral, settings).map(({ query }) => query),
  ...Object.values(sinks(neutral, settings)),
];

describe('the SQL of the samples', () => {
  it.each(forbidden)('does without %s', (_, pattern, slip) => {
    expect(slip).toMatch(pattern);
    for (const query of queries()) expect(query).not.toMatch(pattern);
  });

  it('sums whole numbers only, and casts every sum', () => {
    for (const query of queries()) {
      for (const [sum] of query.matchAll(/.{5}sum\([^)]*\)/gs)) expect(sum).toMatch(/^CAST\(sum/);
    }
  });

  it('orders every sink', () => {
    for (const query of Object.values(sinks(neutral, settings))) expect(query).toMatch(/ORDER BY [^)]*$/);
  });

  it('is spelled for Spark by the dialect alone', () => {
    const text = scriptText(spark, settings, filesOf('/data'), days, '/out');
    expect(text).toContain('CAST(`like` AS INT)');
    expect(text).toContain('FROM parquet.`{/data/logs/requests/part-00000.parquet}`');
    expect(text).toContain("INSERT OVERWRITE DIRECTORY '/out/samples_a' USING parquet");
    expect(text).toMatch(/CAST\(conv\(substr\(md5\(concat_ws\(':', 'b_request'/);
    expect(text).toContain('explode(sequence(');
    expect(text).not.toMatch(/read_parquet|unnest|generate_series|epoch_ms|"/);
  });

  it('run as one script gives the rows that the stage groups into lists', async () => {
    const built = await buildFrom(randomLogs(1), config);
    const out = join(await temporaryFolder(), 'out');
    await mkdir(out);
    const db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder: join(out, 'spill') });
    await db.run(scriptText(duckdb, settings, filesOf(built.runFolder), days, out));
    for (const set of ['samples_a', 'samples_b']) {
      const long = `SELECT request_id, item_id, label, stage, weight, draw_prob, n_behaviours FROM read_parquet('${join(out, set)}')`;
      const grouped = `
        SELECT request_id, unnest(item_ids) AS item_id, unnest(label) AS label, unnest(stage) AS stage, unnest(weight) AS weight,
               unnest(draw_prob) AS draw_prob, n_behaviours FROM '${built.path(set)}/*.parquet'`;
      const count = await db.number(`SELECT count(*) FROM (${grouped})`);
      expect(count).toBeGreaterThan(100);
      expect(await db.number(`SELECT count(*) FROM (${long})`)).toBe(count);
      expect(await db.number(`SELECT count(*) FROM (${long} EXCEPT ALL ${grouped})`)).toBe(0);
    }
    await db.close();
  });
});
