/** Which of a user's column types can stand for a canonical one, and how it is read. */
import { elementType, isList, type ColumnType, type ScalarType } from '../data/columns.js';

/** SQL that reads a column, and where not every value may fit, the condition that one does not. */
export interface Cast {
  readonly sql: (column: string) => string;
  readonly misfit?: (column: string) => string;
}

/** Bits of an integer type; of an unsigned one, bits of the signed type that would hold it. */
const integerBits: Readonly<Record<string, number>> = {
  TINYINT: 8,
  SMALLINT: 16,
  INTEGER: 32,
  BIGINT: 64,
  HUGEINT: 128,
  UTINYINT: 9,
  USMALLINT: 17,
  UINTEGER: 33,
  UBIGINT: 65,
  UHUGEINT: 129,
};
const fractions = /^(FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const timestamps = /^TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?$/;
const texts = /^(VARCHAR|UUID|ENUM\(.*\))$/;

const plain = (type: string): Cast => ({ sql: (column) => `CAST(${column} AS ${type})` });

/** To a narrower type: a value that it cannot hold becomes null, within a list as well. */
const narrowed = (type: string): Cast => ({
  sql: (column) => `TRY_CAST(${column} AS ${type})`,
  misfit: (column) => `TRY_CAST(${column} AS ${type}) IS DISTINCT FROM ${column}`,
});

const fromZeroAndOne: Cast = {
  sql: (column) => `CASE ${column} WHEN 0 THEN FALSE WHEN 1 THEN TRUE END`,
  misfit: (column) => `${column} NOT IN (0, 1)`,
};

const fromMilliseconds: Cast = {
  sql: (column) => `CAST(TRY(epoch_ms(${column})) AS TIMESTAMP_MS)`,
  misfit: (column) => `${column} IS NOT NULL AND TRY(epoch_ms(${column})) IS NULL`,
};

const fromTimestamp: Cast = { sql: (column) => `CAST(CAST(${column} AS TIMESTAMP) AS TIMESTAMP_MS)` };
const fromDate: Cast = { sql: (column) => `strftime(${column}, '%Y-%m-%d')` };

/**
 * The cast from a type of the user's to a canonical one, or null when values could change their meaning on the way. Integers may be
 * of any width, as writers choose widths by habit: where the user's is wider, every value is checked to fit.
 */
export function castTo(needed: ColumnType, found: string): Cast | null {
  if (isList(needed)) {
    const element = found.endsWith('[]') ? castTo(elementType(needed), found.slice(0, -2)) : null;
    return element && (element.misfit ? narrowed(needed) : plain(needed));
  }
  if (found === needed) return plain(needed);
  const bits = integerBits[found];
  switch (needed) {
    case 'TINYINT':
    case 'SMALLINT':
    case 'INTEGER':
    case 'BIGINT':
      if (bits !== undefined) return bits <= integerBits[needed]! ? plain(needed) : narrowed(needed);
      return found === 'BOOLEAN' ? plain(needed) : null;
    case 'BOOLEAN':
      return bits !== undefined ? fromZeroAndOne : null;
    case 'FLOAT':
    case 'DOUBLE':
      return bits !== undefined || fractions.test(found) ? plain(needed) : null;
    case 'VARCHAR':
      if (found === 'DATE') return fromDate;
      return bits !== undefined || texts.test(found) ? plain(needed) : null;
    case 'TIMESTAMP_MS':
      if (found === 'BIGINT') return fromMilliseconds;
      return timestamps.test(found) ? fromTimestamp : null;
  }
}

/** The type that a further column of the user's is kept in, or null when our tables cannot hold it. */
export function attributeType(found: string): ColumnType | null {
  if (found.endsWith('[]')) {
    const element = attributeType(found.slice(0, -2));
    return element === null || isList(element) ? null : `${element}[]`;
  }
  return scalarAttribute(found);
}

function scalarAttribute(found: string): ScalarType | null {
  const bits = integerBits[found];
  if (bits !== undefined) {
    const holder = (['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT'] as const).find(
      (type) => bits <= integerBits[type]!,
    );
    return holder ?? null;
  }
  if (found === 'BOOLEAN' || found === 'FLOAT') return found;
  if (fractions.test(found)) return 'DOUBLE';
  if (texts.test(found) || found === 'DATE') return 'VARCHAR';
  return timestamps.test(found) ? 'TIMESTAMP_MS' : null;
}

/** What to write instead, for a column that cannot be read as `needed`. */
export function castAdvice(name: string, needed: ColumnType, found: string): string {
  const isId = name.endsWith('_id');
  if (isId && texts.test(found)) {
    return `Number the texts, for example with dense_rank() OVER (ORDER BY ${name}), the same way in every table.`;
  }
  if (needed === 'TIMESTAMP_MS') {
    if (integerBits[found] !== undefined || fractions.test(found)) {
      return `Write milliseconds since 1970 as BIGINT, or a timestamp: seconds become CAST(1000 * ${name} AS BIGINT).`;
    }
    return `Write it as a timestamp, for example with CAST(${name} AS TIMESTAMP), in UTC.`;
  }
  return `Write it as ${needed}, for example with CAST(${name} AS ${needed}) in the query that makes the file.`;
}

/** What to do about values that cannot be read as `needed`. */
export function fitAdvice(needed: ColumnType): string {
  if (needed === 'BOOLEAN') return 'Write it as BOOLEAN, or as 0 and 1.';
  if (needed === 'TIMESTAMP_MS')
    return 'Numbers are milliseconds since 1970: microseconds and nanoseconds are too large.';
  return 'Mend these values, or the mapping of the column.';
}
