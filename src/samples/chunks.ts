/**
 * Chunks: ranges of requests that a set is built from one after the other, so that what the SQL engine joins, sorts and holds is a
 * chunk's, whatever the length of the log. In the order of a set's rows: a set read chunk by chunk is the set read at once.
 */
import type { Duckdb } from '../data/duckdb.js';
import type { Range } from './settings.js';

/** The requests of a split with ids from `low` to `high`. */
export interface Chunk {
  readonly split: number;
  readonly low: bigint;
  readonly high: bigint;
}

/** Chunks of the requests in a relation with split and request_id; `rows`: about how many rows a request becomes, as SQL. */
export async function chunksOf(
  db: Duckdb,
  relation: string,
  rows: string,
  rowsPerChunk = 2 ** 17, // long rows, which are some 15 MB while they are sorted
): Promise<Chunk[]> {
  const found = await db.rows(`
    SELECT split, min(request_id) AS low, max(request_id) AS high
    FROM (
      SELECT split, request_id, sum(${rows}) OVER (PARTITION BY split ORDER BY request_id) // ${rowsPerChunk} AS chunk
      FROM ${relation}
    )
    GROUP BY split, chunk
    ORDER BY split, low`);
  return found.map(({ split, low, high }) => ({
    split: Number(split),
    low: low as bigint, // request_id is a BIGINT
    high: high as bigint,
  }));
}

/** The condition that a row, given by its table's letter, is of a chunk; always true without one. */
export const isIn = (chunk: Chunk | undefined, table: string) =>
  chunk
    ? `${table}.split = ${chunk.split} AND ${table}.request_id BETWEEN ${chunk.low} AND ${chunk.high}`
    : 'TRUE';

/**
 * Ranges of ids that together are all ids, each of about so many rows of a relation that lies in the order of its ids. In another
 * order they are as right, and not as equal.
 */
export async function rangesOf(
  db: Duckdb,
  relation: string,
  id: string,
  rowsPerRange = 2 ** 17,
): Promise<Range[]> {
  const cuts = await db.rows(`
    SELECT DISTINCT min(id) AS cut
    FROM (SELECT ${id} AS id, (row_number() OVER () - 1) // ${rowsPerRange} AS range FROM ${relation})
    WHERE range > 0
    GROUP BY range
    ORDER BY cut`);
  const bounds = cuts.map(({ cut }) => cut as bigint); // ids are BIGINT
  return [undefined, ...bounds].map((low, i) => {
    const high = bounds[i];
    return { ...(low !== undefined && { low }), ...(high !== undefined && { high }) };
  });
}
