/**
 * The few things that DuckDB and Spark spell differently. Everything else in this room's SQL is text that both run alike and that
 * gives the same rows (Law 7): md5 draws, integer weights, sums of integers only, explicit casts, orders that end in a unique key.
 * `script.test.ts` holds the list of what may not be written.
 */
import { sqlText } from '../data/duckdb.js';

export interface Dialect {
  /** Statements before the first view. */
  readonly prelude: readonly string[];
  /** A column whose name may be a word of SQL, such as `like`. */
  readonly column: (name: string) => string;
  /** Milliseconds since 1970 of a time: behind the source views all times are BIGINT. */
  readonly epochMs: (time: string) => string;
  /** The time of milliseconds since 1970, for sinks. */
  readonly time: (ms: string) => string;
  /** 60 bits of the md5 of a text: a whole number that is never negative. */
  readonly hash: (text: string) => string;
  /** In a select list: a row for each of low, low + step, … up to high. */
  readonly series: (low: string, high: string, step: string) => string;
  /** What stands after FROM to read Parquet files. */
  readonly parquet: (paths: readonly string[]) => string;
  readonly view: (name: string, query: string) => string;
  /** A view that is computed once, because several others read it. */
  readonly table: (name: string, query: string) => string;
  /** Writes the rows of a query as Parquet: one file on DuckDB, a folder of files on Spark. */
  readonly sink: (path: string, query: string) => string;
}

export const duckdb: Dialect = {
  prelude: [`SET TimeZone = 'UTC'`],
  column: (name) => `"${name}"`,
  epochMs: (time) => `epoch_ms(${time})`,
  time: (ms) => `CAST(epoch_ms(${ms}) AS TIMESTAMP_MS)`,
  hash: (text) => `CAST('0x' || substr(md5(${text}), 1, 15) AS BIGINT)`,
  series: (low, high, step) => `unnest(generate_series(${low}, ${high}, ${step}))`,
  parquet: (paths) => `read_parquet([${paths.map(sqlText).join(', ')}])`,
  view: (name, query) => `CREATE OR REPLACE TEMPORARY VIEW ${name} AS ${query}`,
  table: (name, query) => `CREATE OR REPLACE TEMPORARY TABLE ${name} AS ${query}`,
  sink: (path, query) => `COPY (${query}) TO ${sqlText(path)} (FORMAT parquet)`,
};

export const spark: Dialect = {
  prelude: [
    'SET spark.sql.session.timeZone = UTC',
    'SET spark.sql.ansi.enabled = true',
    'SET spark.sql.parquet.outputTimestampType = TIMESTAMP_MICROS',
  ],
  column: (name) => `\`${name}\``,
  epochMs: (time) => `unix_millis(CAST(${time} AS TIMESTAMP))`,
  time: (ms) => `timestamp_millis(${ms})`,
  hash: (text) => `CAST(conv(substr(md5(${text}), 1, 15), 16, 10) AS BIGINT)`,
  series: (low, high, step) => `explode(sequence(${low}, ${high}, ${step}))`,
  parquet: (paths) => `parquet.\`{${paths.join(',')}}\``,
  view: (name, query) => `CREATE OR REPLACE TEMPORARY VIEW ${name} AS ${query}`,
  table: (name, query) => `${spark.view(name, query)};\nCACHE TABLE ${name}`,
  sink: (path, query) => `INSERT OVERWRITE DIRECTORY ${sqlText(path)} USING parquet ${query}`,
};
