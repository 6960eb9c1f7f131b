/** Draws that depend on nothing but what they are named by, not on the order of rows or of threads. */
import { sqlText } from '../data/duckdb.js';

/** In SQL: 60 bits of the md5 of a draw's name, `purpose:seed:part:…`, as a whole number that is never negative. */
export const md5Draw = (purpose: string, seed: number, ...parts: readonly string[]): string =>
  `CAST('0x' || substr(md5(concat_ws(':', ${[sqlText(purpose), seed, ...parts].join(', ')})), 1, 15) AS BIGINT)`;
