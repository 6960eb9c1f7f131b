/**
 * What features read from the tables: which columns, of which type, as which SQL expression. A value that is looked up is keyed as
 * text, so that 7 of one table is 7 of another; fractions never are, because engines print them differently.
 */
import type { FeatureConfig } from '../config/config.js';
import { nearest } from '../config/nearest.js';
import { CascadeError, type Problem } from '../errors.js';
import type { Schema } from './columns.js';
import type { Duckdb } from './duckdb.js';
import { featureSources, type FeatureSource } from './features.js';

/** A feature's kind and columns, configured or fitted. */
export interface FeatureColumns {
  readonly name: string;
  readonly kind: FeatureConfig['kind'];
  readonly source: FeatureSource;
  readonly columns: readonly string[];
}

/** Source and bare column names of a configured feature. */
export function columnsOfFeature(feature: FeatureConfig): FeatureColumns {
  const paths = feature.kind === 'cross' ? feature.columns : [feature.column];
  const [source] = paths[0]!.split('.');
  return {
    name: feature.name,
    kind: feature.kind,
    source: featureSources.find((known) => known === source)!, // the config's pattern admits these three
    columns: paths.map((path) => path.slice(path.indexOf('.') + 1)),
  };
}

/** Types of the values that the encoder is given, by feature name. */
export function inputSchema(features: readonly FeatureColumns[]): Schema {
  return Object.fromEntries(features.map((feature) => [feature.name, inputType(feature.kind)]));
}

function inputType(kind: FeatureConfig['kind']): 'VARCHAR' | 'VARCHAR[]' | 'DOUBLE' {
  switch (kind) {
    case 'id':
    case 'hashed':
    case 'cross':
      return 'VARCHAR';
    case 'multi_valued':
      return 'VARCHAR[]';
    case 'bucketised':
    case 'numeric':
      return 'DOUBLE';
  }
}

/** The value of a feature as the encoder takes it; null where a column is null, or is no finite number where one is needed. */
export function featureExpression({ kind, columns }: FeatureColumns): string {
  const quoted = columns.map((column) => `"${column}"`);
  const [first] = quoted;
  switch (kind) {
    case 'id':
    case 'hashed':
      return `CAST(${first} AS VARCHAR)`;
    case 'cross': {
      // A value may hold the separator, so it is escaped: ('a|b', 'c') and ('a', 'b|c') stay two values.
      const parts = quoted.map((c) => `replace(replace(CAST(${c} AS VARCHAR), '\\', '\\\\'), '|', '\\|')`);
      return parts.join(` || '|' || `); // null when any part is
    }
    case 'multi_valued':
      return `list_filter(CAST(${first} AS VARCHAR[]), lambda v: v IS NOT NULL)`;
    case 'bucketised':
      return `CASE WHEN NOT isnan(CAST(${first} AS DOUBLE)) THEN CAST(${first} AS DOUBLE) END`;
    case 'numeric':
      return `CASE WHEN isfinite(CAST(${first} AS DOUBLE)) THEN CAST(${first} AS DOUBLE) END`;
  }
}

/** The select list that gives each feature's value under its name. */
export const featureSelect = (features: readonly FeatureColumns[]) =>
  features.map((feature) => `${featureExpression(feature)} AS "${feature.name}"`).join(', ');

// --------------------------------------------------------------------------------------------------------------- checks

/** Column of the relations that features are fitted on: how often the row counts in training. */
export const trainingCount = 'training_count';

/** Throws all missing columns and all columns of a type that the feature cannot be made of, at once. */
export async function checkColumns(
  db: Duckdb,
  features: readonly FeatureColumns[],
  relations: Readonly<Record<FeatureSource, string>>,
): Promise<void> {
  const problems: Problem[] = [];
  for (const source of featureSources) {
    const wanted = features.filter((feature) => feature.source === source);
    const described = await db.rows(`DESCRIBE SELECT * FROM ${relations[source]}`);
    const types = new Map(described.map((row) => [String(row.column_name), String(row.column_type)]));
    types.delete(trainingCount);
    for (const feature of wanted) {
      for (const column of feature.columns) {
        const type = types.get(column);
        if (type === undefined) problems.push(missingColumn(feature, column, [...types.keys()]));
        else if (!fits(feature.kind, type)) problems.push(wrongType(feature, column, type));
      }
    }
  }
  if (problems.length > 0) throw new CascadeError(problems);
}

function missingColumn({ name, source }: FeatureColumns, column: string, has: readonly string[]): Problem {
  const near = nearest(column, has);
  return {
    code: 'data.missing_column',
    where: `logs/${source}`,
    subject: column,
    what: `Feature \`${name}\` reads \`${source}.${column}\`, but the table has: ${has.join(', ')}.`,
    mend:
      near === undefined
        ? "Change the feature's column, or add it to the table."
        : `Did you mean \`${source}.${near}\`? Change the feature's column, or add it to the table.`,
  };
}

const wholeNumber = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const anyNumber = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const isKey = (type: string) => wholeNumber.test(type) || /^(VARCHAR|BOOLEAN|DATE)$/.test(type);

function fits(kind: FeatureConfig['kind'], type: string): boolean {
  if (kind === 'numeric' || kind === 'bucketised') return anyNumber.test(type);
  return kind === 'multi_valued' ? type.endsWith('[]') && isKey(type.slice(0, -2)) : isKey(type);
}

function wrongType({ name, kind, source }: FeatureColumns, column: string, type: string): Problem {
  const needs = {
    VARCHAR: 'a whole number, text, a boolean or a day',
    'VARCHAR[]': 'a list of whole numbers or texts',
    DOUBLE: 'a number',
  }[inputType(kind)];
  return {
    code: 'data.wrong_type',
    where: `logs/${source}`,
    subject: column,
    what: `Feature \`${name}\` is ${kind} and reads \`${source}.${column}\`, which is ${type}; it needs ${needs}.`,
    mend: anyNumber.test(type)
      ? 'Make the feature `numeric` or `bucketised`, or cast the column in the table.'
      : 'Give the feature another kind or another column, or cast the column in the table.',
  };
}
