/** The columns of one of the user's tables: found by name, checked by type, read by a cast. */
import { nearest } from '../config/nearest.js';
import type { ColumnType } from '../data/columns.js';
import type { Duckdb } from '../data/duckdb.js';
import { parquetColumns, parquetSource, readingParquet } from '../data/parquet.js';
import { CascadeError, type Problem } from '../errors.js';
import { attributeType, castAdvice, castTo, fitAdvice } from './casts.js';
import { counted } from './check.js';
import { canonicalTables, type CanonicalTable, type TableName } from './tables.js';

/** How one of the user's tables is read: SQL expressions by canonical name, over the files. */
export interface OwnColumns {
  readonly table: TableName;
  readonly files: readonly string[];
  readonly expressions: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

interface Found {
  /** Canonical name, the user's name, and SQL type of the user's column. */
  readonly name: string;
  readonly own: string;
  readonly type: string;
}

/** A column of which some values may not fit, and the SQL condition that one does not. */
interface Doubtful {
  readonly found: Found;
  readonly needed: ColumnType;
  readonly misfit: string;
}

/** Finds the columns of a table; throws all that is wrong with its names, types and values together. */
export async function findColumns(
  db: Duckdb,
  table: TableName,
  files: readonly string[],
  mapping: Readonly<Record<string, string>>,
): Promise<OwnColumns> {
  const there = await commonColumns(db, files);
  const spec: CanonicalTable = canonicalTables[table];
  const problems: Problem[] = unknownTargets(table, spec, mapping);
  const expressions = new Map<string, string>();
  const doubtful: Doubtful[] = [];

  for (const [name, column] of Object.entries(spec.columns)) {
    const own = mapping[name] ?? name;
    const type = there[own];
    if (type === undefined) {
      if (!column.optional || name in mapping)
        problems.push(missingColumn(table, name, own, files[0]!, there));
      continue;
    }
    const cast = castTo(column.type, type);
    if (!cast) {
      problems.push(wrongType({ name, own, type }, column.type, files[0]!));
      continue;
    }
    expressions.set(name, cast.sql(`"${own}"`));
    const misfit = cast.misfit?.(`"${own}"`);
    if (misfit) doubtful.push({ found: { name, own, type }, needed: column.type, misfit });
  }

  const notes: string[] = [];
  const unread: string[] = [];
  for (const { name, own, type } of attributesOf(spec, mapping, there)) {
    const kept = attributeType(type);
    if (kept && allows(spec, name)) expressions.set(name, `CAST("${own}" AS ${kept})`);
    else unread.push(own);
  }
  if (unread.length > 0) notes.push(`${table}: not read: ${unread.join(', ')}`);
  if (problems.length > 0) throw new CascadeError(problems);

  await checkFit(db, table, files, doubtful);
  return { table, files, expressions, notes };
}

/** Names and types of the columns, which all files must share. */
export async function commonColumns(db: Duckdb, files: readonly string[]): Promise<Record<string, string>> {
  const first = await parquetColumns(db, files[0]!);
  for (const file of files.slice(1)) {
    const columns = await parquetColumns(db, file);
    const differing = [...new Set([...Object.keys(first), ...Object.keys(columns)])].filter(
      (name) => first[name] !== columns[name],
    );
    if (differing.length > 0) {
      throw new CascadeError({
        code: 'data.mixed_schema',
        where: file,
        subject: differing.join(', '),
        what: `The files of a table must have the same columns and types; this one differs from ${files[0]!}: ${differing
          .map(
            (name) => `${name} is ${columns[name] ?? 'missing'} here and ${first[name] ?? 'missing'} there`,
          )
          .join(', ')}.`,
        mend: 'Write all files with one schema.',
      });
    }
  }
  return first;
}

const allows = ({ attributes }: CanonicalTable, name: string) =>
  attributes === 'any' || (attributes === 'ctx_* and user_*' && /^(ctx|user)_/.test(name));

/** Columns beside the canonical ones, under the name they are mapped to or their own. */
function attributesOf(
  spec: CanonicalTable,
  mapping: Readonly<Record<string, string>>,
  there: Readonly<Record<string, string>>,
): Found[] {
  const targets = Object.entries(mapping);
  const used = new Set([...targets.map(([, own]) => own), ...Object.keys(spec.columns)]);
  const renamed = targets.filter(([name, own]) => !(name in spec.columns) && own in there);
  const asTheyAre = Object.keys(there).filter((own) => !used.has(own));
  return [
    ...renamed.map(([name, own]) => ({ name, own, type: there[own]! })),
    ...asTheyAre.map((own) => ({ name: own, own, type: there[own]! })),
  ];
}

// ------------------------------------------------------------------------------------------------------------ what is wrong

function unknownTargets(
  table: TableName,
  spec: CanonicalTable,
  mapping: Readonly<Record<string, string>>,
): Problem[] {
  const known = Object.keys(spec.columns);
  return Object.keys(mapping)
    .filter((name) => !(name in spec.columns) && !allows(spec, name))
    .map((name) => {
      const near = nearest(name, known);
      return {
        code: 'config.unknown_column',
        where: `logs.${table}.columns`,
        subject: name,
        what: `The canonical table \`${table}\` has no column \`${name}\`.${near ? ` Did you mean \`${near}\`?` : ''}`,
        mend: `Its columns are ${known.join(', ')}${spec.attributes === 'none' ? '' : `, and any named ${spec.attributes}`}.`,
      };
    });
}

function missingColumn(
  table: TableName,
  name: string,
  own: string,
  file: string,
  there: Readonly<Record<string, string>>,
): Problem {
  const near = nearest(own, Object.keys(there));
  const wanted =
    own === name ? `which \`${table}\` needs` : `which the config gives as ${name} of \`${table}\``;
  const meant = near ? ` Is \`${near}\` meant?` : '';
  return {
    code: 'data.missing_column',
    where: file,
    subject: own,
    what: `There is no column \`${own}\`, ${wanted}. The file has: ${Object.keys(there).join(', ')}.${meant}`,
    mend: `Say which column it is in the config: logs.${table}.columns: { ${name}: ${near ?? '<your column>'} }.`,
  };
}

function wrongType({ name, own, type }: Found, needed: ColumnType, file: string): Problem {
  return {
    code: 'data.wrong_type',
    where: file,
    subject: own,
    what: `Column \`${own}\` is ${type}; ${name} needs ${needed}.`,
    mend: castAdvice(own, needed, type),
  };
}

/** Counts the values that do not fit, of all columns in one pass. */
async function checkFit(
  db: Duckdb,
  table: TableName,
  files: readonly string[],
  doubtful: readonly Doubtful[],
): Promise<void> {
  if (doubtful.length === 0) return;
  const counts = doubtful.flatMap(({ found, misfit }, i) => [
    `count(*) FILTER (${misfit}) AS count_${i}`,
    `CAST(min("${found.own}") FILTER (${misfit}) AS VARCHAR) AS example_${i}`,
  ]);
  const query = `SELECT ${counts.join(', ')} FROM ${parquetSource(files)}`;
  const [row] = await readingParquet(files[0]!, () => db.rows(query));
  const problems = doubtful.flatMap(({ found, needed }, i): Problem[] => {
    const count = Number(row?.[`count_${i}`]);
    if (count === 0) return [];
    const values = counted(count, 'value');
    return [
      {
        code: 'data.out_of_range',
        where: files[0]!,
        subject: found.own,
        what: `${values} of \`${found.own}\` cannot be ${found.name} of \`${table}\`, which is ${needed}; for example ${String(row?.[`example_${i}`])}.`,
        mend: fitAdvice(needed),
      },
    ];
  });
  if (problems.length > 0) throw new CascadeError(problems);
}
