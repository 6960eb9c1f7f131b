/**
 * The checks that canonical tables pass before anything is built on them, whatever they came from. Each check is a query for the
 * rows that break a rule (rules.ts); all broken rules are told at once, with counts and up to three examples.
 */
import type { Duckdb } from '../data/duckdb.js';
import { CascadeError, type Problem } from '../errors.js';
import { returnFreed } from '../memory.js';
import { allRules, type CheckSettings, type Rule } from './rules.js';
import { tableNames } from './tables.js';

/** Throws every broken rule; returns notes on what is allowed and yet worth knowing. */
export async function checkTables(db: Duckdb, settings: CheckSettings): Promise<string[]> {
  const problems = await emptyTables(db);
  for (const rule of allRules(settings)) {
    const count = await db.number(`SELECT count(*) FROM (${rule.broken})`);
    if (count > 0) problems.push(await problemOf(db, rule, count));
    returnFreed(); // what the rows of a long table were hashed in
  }
  if (problems.length > 0) throw new CascadeError(problems);
  return notes(db);
}

/** A log without behaviours is possible: all its users are cold. Without any other table there is nothing to learn from. */
async function emptyTables(db: Duckdb): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const table of tableNames) {
    if (table === 'behaviours' || (await db.number(`SELECT count(*) FROM ${table}`)) > 0) continue;
    problems.push({
      code: 'data.empty_table',
      where: table,
      what: `The table \`${table}\` has no rows.`,
      mend: 'Check the path in the config, and the query that wrote the file.',
    });
  }
  return problems;
}

async function problemOf(db: Duckdb, rule: Rule, count: number): Promise<Problem> {
  const rows = await db.rows(`SELECT * FROM (${rule.broken}) ORDER BY ALL LIMIT 3`);
  const examples = rows.map((row) =>
    Object.entries(row)
      .map(([name, value]) => `${name} ${worded(value)}`)
      .join(', '),
  );
  return {
    code: rule.code,
    where: rule.table,
    subject: rule.subject,
    what: `${counted(count, rule.noun ?? 'row')} of \`${rule.table}\` ${rule.what}; for example: ${examples.join(' / ')}.`,
    mend: rule.mend,
  };
}

/** `1 row`, `12,345 rows`. */
export const counted = (count: number, noun: string): string =>
  `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;

const worded = (value: unknown) => (value instanceof Date ? value.toISOString() : String(value));

async function notes(db: Duckdb): Promise<string[]> {
  const found: string[] = [];
  const note = async (noun: string, words: string, query: string) => {
    const count = await db.number(`SELECT count(*) FROM (${query})`);
    if (count > 0) found.push(`${counted(count, noun)} ${words}`);
  };
  await note(
    'request',
    'without candidates: no sample is made of them',
    'SELECT request_id FROM requests WHERE request_id NOT IN (SELECT request_id FROM candidates)',
  );
  await note(
    'behaviour',
    'of items that `items` does not know: their features count as unknown',
    'SELECT item_id FROM behaviours WHERE item_id NOT IN (SELECT item_id FROM items)',
  );
  return found;
}
