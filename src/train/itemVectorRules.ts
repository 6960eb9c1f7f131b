/**
 * The checks that the user's item vectors pass before anything is coded by them. Each is a query for the rows that break a rule; all
 * broken rules are told at once, with counts and up to three examples.
 */
import type { CodebookConfig } from '../config/config.js';
import type { Duckdb } from '../data/duckdb.js';
import { readingParquet } from '../data/parquet.js';
import { CascadeError, type Problem } from '../errors.js';
import { counted } from '../logs/check.js';

export type ItemVectorsConfig = NonNullable<CodebookConfig['itemVectors']>;

interface Rule {
  readonly code: string;
  /** Selects the rows that break it. */
  readonly broken: string;
  readonly noun: string;
  readonly what: string;
  readonly mend: string;
}

/** Per number of a vector whether it is one. */
const isFinite = 'list_transform(vector, lambda x: coalesce(isfinite(x), FALSE))';

const rulesOf = (width: number): Rule[] => [
  {
    code: 'data.null_value',
    broken: 'SELECT row FROM vector_rows WHERE is_without_id',
    noun: 'row',
    what: 'without an id',
    mend: 'Leave them out: a vector without an item stands for nothing.',
  },
  {
    code: 'data.duplicate_key',
    broken: 'SELECT item_id, count(*) AS times FROM item_vectors GROUP BY item_id HAVING count(*) > 1',
    noun: 'item',
    what: 'with more than one vector',
    mend: 'Keep one row per item, for example with QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY …) = 1.',
  },
  {
    code: 'data.bad_vector',
    broken: 'SELECT item_id FROM item_vectors WHERE vector IS NULL',
    noun: 'item',
    what: 'with a null in place of the vector',
    mend: 'Leave their rows out: items without a vector stand at the mean direction.',
  },
  {
    code: 'data.bad_vector',
    broken: `SELECT item_id, len(vector) AS length FROM item_vectors WHERE len(vector) <> ${width}`,
    noun: 'item',
    what: `with a vector of another length than most, which have ${width} numbers`,
    mend: 'Write vectors of one model only; all must have the same length.',
  },
  {
    code: 'data.bad_vector',
    broken: `SELECT item_id, list_position(${isFinite}, FALSE) AS place FROM item_vectors WHERE list_contains(${isFinite}, FALSE)`,
    noun: 'item',
    what: 'with a number that is null, infinite or NaN in the vector',
    mend: 'Find out why the model gave it, or leave these rows out.',
  },
  {
    code: 'data.bad_vector',
    broken: `SELECT item_id FROM item_vectors
             WHERE NOT coalesce(list_max(list_transform(vector, lambda x: abs(x))) BETWEEN 1e-100 AND 1e100, vector IS NULL)
             AND NOT list_contains(${isFinite}, FALSE)`,
    noun: 'item',
    what: 'with a vector of no direction: empty, of zeros, or with numbers beyond 1e100',
    mend: 'Leave their rows out: items without a vector stand at the mean direction.',
  },
];

/** Throws all that is wrong; returns the length of the vectors. */
export async function checkVectors(
  db: Duckdb,
  paths: readonly string[],
  { idColumn, vectorColumn, minCoverage }: ItemVectorsConfig,
  ids: BigInt64Array,
): Promise<number> {
  const where = paths.length === 1 ? paths[0]! : `${paths[0]!} and ${paths.length - 1} more`;
  const lengths = await readingParquet(where, () =>
    db.rows(`SELECT len(vector) AS length, count(*) AS n FROM item_vectors WHERE vector IS NOT NULL
             GROUP BY length ORDER BY n DESC, length DESC LIMIT 1`),
  );
  const width = Number(lengths[0]?.length ?? 0);
  const found = await db.number('SELECT count(DISTINCT item_id) FROM item_vectors');
  if (found === 0 || found < minCoverage * ids.length) {
    throw new CascadeError(await tooFew(db, where, idColumn, minCoverage, found, ids));
  }
  const problems: Problem[] = [];
  for (const { code, broken, noun, what, mend } of rulesOf(width)) {
    const count = await db.number(`SELECT count(*) FROM (${broken})`);
    if (count === 0) continue;
    const examples = (await db.rows(`SELECT * FROM (${broken}) ORDER BY ALL LIMIT 3`)).map((row) =>
      Object.entries(row)
        .map(([name, value]) => `${name} ${String(value)}`)
        .join(', '),
    );
    problems.push({
      code,
      where,
      subject: code === 'data.bad_vector' ? vectorColumn : idColumn,
      what: `${counted(count, noun)} ${what}; for example: ${examples.join(' / ')}.`,
      mend,
    });
  }
  if (problems.length > 0) throw new CascadeError(problems);
  return width;
}

async function tooFew(
  db: Duckdb,
  where: string,
  idColumn: string,
  minCoverage: number,
  found: number,
  ids: BigInt64Array,
): Promise<Problem> {
  const first = await db.rows(
    'SELECT DISTINCT item_id FROM vector_rows WHERE item_id IS NOT NULL ORDER BY item_id LIMIT 3',
  );
  const written = first.map(({ item_id: id }) => String(id)).join(', ') || 'none';
  return {
    code: 'data.few_vectors',
    where,
    subject: idColumn,
    what: `${found.toLocaleString('en-US')} of ${counted(ids.length, 'item')} ${found === 1 ? 'has' : 'have'} a vector, less than the share of ${minCoverage} that codebook.item_vectors.min_coverage asks for. The first ids here are ${written}; those of the items ${Array.from(ids.subarray(0, 3)).join(', ')}.`,
    mend: 'Number items as the table `items` does, write the missing vectors, or lower codebook.item_vectors.min_coverage.',
  };
}
