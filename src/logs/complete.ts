/**
 * From what a source knows to the canonical tables: a source leaves relations `source_requests`, `source_items` and so on with the
 * columns it has, under their canonical names; here each becomes a view `requests`, `items` … with every canonical column in its
 * order and type. What the source left out is null, or has the value that tables.ts states.
 */
import type { Duckdb } from '../data/duckdb.js';
import { canonicalTables, tableNames, type CanonicalColumn, type TableName } from './tables.js';

export const sourceTable = (table: TableName) => `source_${table}`;

export async function completeTables(db: Duckdb): Promise<void> {
  for (const table of tableNames) {
    const known = await columnsOf(db, sourceTable(table));
    const canonical: Readonly<Record<string, CanonicalColumn>> = canonicalTables[table].columns;
    const columns = Object.entries(canonical).map(([name, column]) => {
      const value = known.includes(name) ? `"${name}"` : String(column.fallback ?? 'NULL');
      return `CAST(${value} AS ${column.type}) AS "${name}"`;
    });
    const attributes = known.filter((name) => !(name in canonical)).map((name) => `"${name}"`);
    await db.run(
      `CREATE TEMPORARY VIEW ${table} AS SELECT ${[...columns, ...attributes].join(', ')} FROM ${sourceTable(table)}`,
    );
  }
}

async function columnsOf(db: Duckdb, relation: string): Promise<string[]> {
  return (await db.rows(`DESCRIBE ${relation}`)).map((row) => String(row.column_name));
}
