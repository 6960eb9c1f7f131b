/**
 * Negatives for positives that were logged without what else was shown.
 *
 * Every request has an endless series of draws; draw k is the first event at place md5(seed, request, k) mod n among the n first
 * events of the request's part, so that an item is drawn in proportion to its users there. The request takes the first items of its
 * series that its user never touched, in the whole log, and that it has not taken yet.
 *
 * Parts keep the days of training, validation and test apart: else a training negative could be an item that only the test days know,
 * and a model would learn which items are still to come.
 */
import type { Duckdb } from '../data/duckdb.js';
import { CascadeError } from '../errors.js';
import { counted } from './check.js';
import { md5Draw } from './md5Draw.js';

/** Draws of a request that are looked at one after the other until it has its negatives: nearly all have them after the first step. */
const steps = [2, 16, 128, 1024];

/**
 * In:  first_events (user_id, item_id, part, place from 0 within the part), positives (request_id, user_id, part).
 * Out: drawn_negatives (request_id, item_id), `perPositive` rows for every positive.
 */
export async function drawNegatives(db: Duckdb, perPositive: number, seed: number): Promise<void> {
  await db.run(`
    CREATE TABLE drawn_negatives (request_id BIGINT, item_id BIGINT);
    CREATE TABLE lacking AS SELECT request_id, user_id, part, CAST(${perPositive} AS BIGINT) AS lacks FROM positives;
    CREATE TABLE part_sizes AS SELECT part, count(*) AS size FROM first_events GROUP BY part`);
  let from = 0;
  for (const step of steps) {
    await db.run(takeFrom(from, step * perPositive, seed));
    await db.run(stillLacking(perPositive));
    from = step * perPositive;
  }
  const lacking = await db.number('SELECT count(*) FROM lacking');
  if (lacking > 0) throw await tooFewItems(db, lacking, perPositive, from);
  await db.run('DROP TABLE lacking; DROP TABLE part_sizes');
}

/** Draws from ≤ k < to of the requests that still lack some. */
const takeFrom = (from: number, to: number, seed: number) => `
  INSERT INTO drawn_negatives
    SELECT request_id, item_id
    FROM (SELECT request_id, lacks, first_events.item_id, min(k) AS k
          FROM (SELECT request_id, user_id, part, lacks, k, ${md5Draw('taobao_negative', seed, 'request_id', 'k')} % size AS place
                FROM lacking JOIN part_sizes USING (part) CROSS JOIN range(${from}, ${to}) AS draws(k)) AS drawn
          JOIN first_events USING (part, place)
          WHERE NOT EXISTS (SELECT 1 FROM first_events AS touched
                            WHERE touched.user_id = drawn.user_id AND touched.item_id = first_events.item_id)
            AND NOT EXISTS (SELECT 1 FROM drawn_negatives AS taken
                            WHERE taken.request_id = drawn.request_id AND taken.item_id = first_events.item_id)
          GROUP BY request_id, lacks, first_events.item_id)
    QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY k) <= lacks`;

const stillLacking = (perPositive: number) => `
  CREATE OR REPLACE TABLE lacking AS
    SELECT positives.request_id, user_id, part, ${perPositive} - coalesce(has, 0) AS lacks
    FROM positives LEFT JOIN (SELECT request_id, count(*) AS has FROM drawn_negatives GROUP BY request_id) USING (request_id)
    WHERE coalesce(has, 0) < ${perPositive}`;

async function tooFewItems(
  db: Duckdb,
  lacking: number,
  perPositive: number,
  draws: number,
): Promise<CascadeError> {
  const [worst] = await db.rows(`
    SELECT request_id, lacking.user_id, dt, size, ${perPositive} - lacks AS has
    FROM lacking JOIN part_sizes USING (part) JOIN positives USING (request_id, part) ORDER BY lacks DESC, request_id LIMIT 1`);
  const { user_id: user, dt, size, has } = worst!;
  return new CascadeError({
    code: 'data.too_few_items',
    where: 'logs',
    subject: 'logs.negatives.per_positive',
    what:
      `${counted(lacking, 'request')} cannot get ${perPositive} negatives: on ${String(dt)} user ${String(user)} got ${String(has)}, ` +
      `as ${draws.toLocaleString('en-US')} draws from the ${counted(Number(size), 'first event')} of that part gave no other item ` +
      `that the user never touched.`,
    mend: 'Lower `logs.negatives.per_positive`, or give more of the log in `logs.files`.',
  });
}
