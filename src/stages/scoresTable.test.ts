import { expect, it } from 'vitest';
import { configOf, temporaryFolder } from '../../test/support/canonicalLogs.js';
import { Duckdb } from '../data/duckdb.js';
import { parquetSource } from '../data/parquet.js';
import { silentProgress } from '../run/progress.js';
import { Stage } from '../run/stage.js';
import type { Scored } from '../train/scoredModels.js';
import { ScoresTable } from './scoresTable.js';

/** Requests of 0, 1, … 6 candidates in turn: 75,000 candidates, more than are written at a time, and a cut within a request. */
function scoredSet(): Scored {
  const requests = 25_000;
  const offsets = new Int32Array(requests + 1);
  for (let r = 0; r < requests; r++) offsets[r + 1] = offsets[r]! + (r % 7);
  const candidates = offsets[requests]!;
  const numbers = Float32Array.from({ length: candidates }, (_, i) => i);
  const user = new Int32Array(requests);
  const labels = Uint8Array.from(numbers, (i) => i % 2);
  return {
    set: 'b',
    split: 'test',
    rows: {
      requests,
      requestId: BigInt64Array.from({ length: requests }, (_, r) => BigInt(1000 + r)),
      user,
      offsets,
      item: Int32Array.from(numbers, (i) => i % 3),
      label: labels,
      weight: new Float32Array(candidates),
    },
    scored: { offsets, user, labels },
    models: [{ model: 'student', logits: numbers }],
    unscored: 1,
  };
}

it('has one row per candidate in order, the student under its own name, and nulls for who has not scored', async () => {
  const folder = await temporaryFolder();
  const config = configOf({ distill: { student: { kind: 'tangent' } } });
  const stage = new Stage('eval', folder, config, silentProgress, new Map(), []);
  const table = new ScoresTable(stage, config, BigInt64Array.of(70n, 80n, 90n), [
    'student_tangent',
    'teacher',
  ]);
  await table.write(scoredSet());
  const db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: `${folder}/spill` });
  const source = parquetSource(`${folder}/eval/scores/*.parquet`, ['file_row_number = true']);
  const [found] = await db.rows(`
    SELECT CAST(count(*) AS INTEGER) AS rows, bool_and(student_tangent = file_row_number) AS in_order,
           bool_and(item_id = 70 + 10 * (file_row_number % 3)) AS items, bool_and(label = file_row_number % 2) AS labels,
           bool_and(teacher IS NULL) AS unscored, bool_and(split = 'test' AND set = 'b') AS places
    FROM ${source}`);
  expect(found).toEqual({
    rows: 74_994,
    in_order: true,
    items: true,
    labels: true,
    unscored: true,
    places: true,
  });
  const wrong = await db.number(`
    SELECT count(*) FROM (SELECT request_id, count(*) AS n, min(file_row_number) AS first FROM ${source} GROUP BY request_id) r
    WHERE n <> (request_id - 1000) % 7
       OR first <> 21 * ((request_id - 1000) // 7) + ((request_id - 1000) % 7) * ((request_id - 1000) % 7 - 1) // 2`);
  expect(wrong).toBe(0);
  await db.close();
});
