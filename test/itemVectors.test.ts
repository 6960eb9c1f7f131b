/** Items coded by vectors of the user's, through the whole chain: a simulation whose hidden groups somebody has embeddings of. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { Duckdb } from '../src/data/duckdb.js';
import { bytesOf, newFolder, program, sets, smallChain } from './support/program.js';

const folder = newFolder('item-vectors');
const vectors = join(folder, 'vectors');
const run = join(folder, 'run');
const args = (kind: string) => [
  ...smallChain,
  ...sets({
    'distill.rivals': '[]',
    'distill.student.kind': kind,
    ...(kind !== 'tarq' && { 'distill.student.codes': 16 }),
    'codebook.item_vectors.path': vectors,
    'codebook.item_vectors.vector_column': 'e',
    'codebook.item_vectors.min_coverage': 0.5,
  }),
  ...['--run', run],
];

let db: Duckdb;
const truth = `read_parquet('${run}/logs/truth/*.parquet') AS truth`;

/** One direction per group and some noise, of the items that the truth names but one in eight; `more` is added to one number. */
async function writeVectors(more = 0): Promise<void> {
  await db.run(`
    COPY (
      SELECT item_id, list_transform(range(16), lambda i: CAST(i = group_id AS INT) + 0.04 * (hash(item_id, i) % 10)
                                                          + CASE WHEN item_id = 9 AND i = 0 THEN ${more} ELSE 0 END) AS e
      FROM (SELECT DISTINCT item_id, group_id FROM ${truth})
      WHERE item_id % 8 <> 0 ORDER BY item_id
    ) TO '${join(vectors, 'items.parquet')}' (FORMAT parquet)`);
}

/** Of two items of one hidden group with vectors, the chance that they have the same first code. */
const sameCode = () =>
  db.number(`
    WITH coded AS (
      SELECT DISTINCT item_id, group_id, code_1
      FROM read_parquet('${run}/distill/codes/*.parquet') AS codes JOIN ${truth} USING (item_id) WHERE item_id % 8 <> 0
    )
    SELECT avg(CAST(a.code_1 = b.code_1 AS INT)) FROM coded a JOIN coded b
    ON a.group_id = b.group_id AND a.item_id < b.item_id`);

beforeAll(async () => {
  db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: join(folder, 'spill') });
  mkdirSync(vectors);
  const { code, err } = await program(['logs', ...smallChain, '--run', run]);
  if (code !== 0) throw new Error(err);
  await writeVectors();
});

it.each(['tarq', 'prefix', 'tangent'])(
  'a student %s is coded by the vectors, trained and judged',
  async (kind) => {
    const trained = await program(['train', ...args(kind)]);
    expect(trained.code, trained.err).toBe(0);
    expect((await program(['codebook', ...args(kind)])).out).toMatch(
      /item vectors: 16 numbers each, for 1\d\d of 200 items; \d+ without one stand at the mean direction/,
    );
    expect(await sameCode()).toBeGreaterThan(0.6); // of TARQ it is .69, and .37 by what one epoch teaches
  },
);

it('a byte of the vectors that changes runs anew what codes items, and nothing else', async () => {
  const before = bytesOf(run);
  await writeVectors(0.5);
  const { out } = await program(['train', ...args('tangent')]);
  expect(out).toMatch(/samples +skipped/);
  expect(out).toMatch(/codebook +ran .* item_vectors\/items\.parquet changed/);
  expect(out).toMatch(/teacher +skipped/);
  expect(out).toMatch(/distill +ran/);
  expect(out).toMatch(/eval +ran/);
  await writeVectors();
  await program(['train', ...args('tangent')]);
  expect(bytesOf(run)).toEqual(before);
});
