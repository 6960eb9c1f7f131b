/** The events of Taobao UserBehavior: files with five columns, checked line by line, cut to the nine days, each row once. */
import type { Duckdb } from '../data/duckdb.js';
import { sqlText } from '../data/duckdb.js';
import { CascadeError, type Problem } from '../errors.js';
import { counted } from './check.js';
import { readCsv, type CsvColumns } from './csv.js';
import { eventTypes } from './tables.js';

export interface EventCounts {
  /** Rows before or after the nine days. */
  readonly outside: number;
  /** Rows that repeat another in all columns. */
  readonly repeated: number;
}

/** In the order of the published file, which has no header line. */
const columns = {
  user_id: 'BIGINT',
  item_id: 'BIGINT',
  category_id: 'BIGINT',
  behavior_type: 'VARCHAR',
  timestamp: 'BIGINT',
} satisfies CsvColumns;
const columnNames = Object.keys(columns);

const behaviourTypes: Readonly<Record<string, number>> = {
  pv: eventTypes.page_view,
  cart: eventTypes.cart,
  fav: eventTypes.favourite,
  buy: eventTypes.buy,
};

/** 2017-11-25 00:00 to 2017-12-04 00:00 in China, in seconds since 1970: what the publishers say the set covers. */
const firstSecond = 1_511_539_200;
const endSecond = 1_512_316_800;
const isInside = `"timestamp" >= ${firstSecond} AND "timestamp" < ${endSecond}`;

/** Leaves the table `events`: user_id, item_id, category_id, event_ts, event_type. */
export async function readTaobaoEvents(db: Duckdb, paths: readonly string[]): Promise<EventCounts> {
  const tables: string[] = [];
  const problems: Problem[] = [];
  for (const [i, path] of paths.entries()) {
    const table = `raw_events_${i}`;
    await readCsv(db, table, path, columns, columnNames);
    problems.push(...(await missingValues(db, table, path)), ...(await unknownTypes(db, table, path)));
    tables.push(table);
  }
  if (problems.length > 0) throw new CascadeError(problems);

  const rows = tables.map((table) => `SELECT ${columnNames.join(', ')} FROM ${table}`).join(' UNION ALL ');
  const types = Object.entries(behaviourTypes).map(([word, type]) => `WHEN ${sqlText(word)} THEN ${type}`);
  const total = await db.number(`SELECT count(*) FROM (${rows})`);
  const inside = await db.number(`SELECT count(*) FROM (${rows}) WHERE ${isInside}`);
  await db.run(`
    CREATE TABLE events AS
      SELECT user_id, item_id, category_id, epoch_ms(1000 * "timestamp") AS event_ts,
             CAST(CASE behavior_type ${types.join(' ')} END AS SMALLINT) AS event_type
      FROM (SELECT DISTINCT * FROM (${rows}) WHERE ${isInside})`);
  for (const table of tables) await db.run(`DROP TABLE ${table}`);
  return { outside: total - inside, repeated: inside - (await db.number('SELECT count(*) FROM events')) };
}

/** A row without a time would else be taken for one outside of the nine days. */
async function missingValues(db: Duckdb, table: string, path: string): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const name of columnNames) {
    const [found] = await db.rows(
      `SELECT count(*) AS n, min(line) AS line FROM ${table} WHERE "${name}" IS NULL`,
    );
    if (Number(found!.n) === 0) continue;
    problems.push({
      code: name.endsWith('_id') ? 'data.null_id' : 'data.null_value',
      where: `${path}:${String(found!.line)}`,
      subject: name,
      what: `${counted(Number(found!.n), 'row')} without ${name}; this is the first.`,
      mend: 'Use the file as its authors published it; the last line of a slice may be cut off.',
    });
  }
  return problems;
}

async function unknownTypes(db: Duckdb, table: string, path: string): Promise<Problem[]> {
  const known = Object.keys(behaviourTypes);
  const found = await db.rows(`
    SELECT behavior_type AS word, count(*) AS n, min(line) AS line FROM ${table}
    WHERE behavior_type NOT IN (${known.map(sqlText).join(', ')}) GROUP BY word ORDER BY line LIMIT 3`);
  return found.map(({ word, n, line }) => ({
    code: 'data.bad_event_type',
    where: `${path}:${String(line)}`,
    subject: 'behavior_type',
    what: `${counted(Number(n), 'row')} with the behaviour \`${String(word)}\`, which is not known; this is the first.`,
    mend: `Behaviours are ${known.join(', ')}, as published.`,
  }));
}
