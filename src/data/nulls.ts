/** Refuses values that a feature says it does not take, before anything is fitted. */
import type { FeatureConfig } from '../config/config.js';
import { CascadeError, type Problem } from '../errors.js';
import type { Duckdb } from './duckdb.js';
import { featureExpression, trainingCount, type FeatureColumns } from './featureColumns.js';
import { featureSources, type FeatureSource } from './features.js';

/** A configured feature and what it reads. */
export interface Configured {
  readonly feature: FeatureConfig;
  readonly reads: FeatureColumns;
}

/** One pass over each source: refuses nulls where the rule is `error`, and gives the share of nulls in training by feature. */
export async function checkNulls(
  db: Duckdb,
  configured: readonly Configured[],
  relations: Readonly<Record<FeatureSource, string>>,
): Promise<Map<string, number>> {
  const problems: Problem[] = [];
  const shares = new Map<string, number>();
  for (const source of featureSources) {
    const here = configured.filter(({ reads }) => reads.source === source);
    if (here.length === 0) continue;
    const counts = here.map(({ feature, reads }, i) => {
      const value = featureExpression(reads);
      const tooSmall = isLog1p(feature) ? `count(*) FILTER (WHERE ${value} <= -1)` : '0';
      return `
        count(*) FILTER (WHERE ${value} IS NULL) AS nulls_${i},
        CAST(coalesce(sum(${trainingCount}) FILTER (WHERE ${value} IS NULL), 0) AS BIGINT) AS training_nulls_${i},
        ${tooSmall} AS too_small_${i}`;
    });
    const [found] = await db.rows(`
      SELECT count(*) AS rows, CAST(sum(${trainingCount}) AS BIGINT) AS training, ${counts.join(', ')}
      FROM ${relations[source]}`);
    const number = (name: string) => Number(found?.[name] ?? 0);
    here.forEach(({ feature, reads }, i) => {
      shares.set(feature.name, number(`training_nulls_${i}`) / Math.max(1, number('training')));
      if (feature.nulls === 'error' && number(`nulls_${i}`) > 0)
        problems.push(nullProblem(reads, number(`nulls_${i}`), number('rows')));
      if (number(`too_small_${i}`) > 0) problems.push(tooSmallProblem(reads, number(`too_small_${i}`)));
    });
  }
  if (problems.length > 0) throw new CascadeError(problems);
  return shares;
}

const isLog1p = (feature: FeatureConfig) => feature.kind === 'numeric' && feature.transform === 'log1p';

const where = ({ source, columns }: FeatureColumns) => ({
  where: `logs/${source}`,
  subject: columns.join(', '),
});

function nullProblem(feature: FeatureColumns, nulls: number, rows: number): Problem {
  const other = feature.kind === 'numeric' ? '`mean`' : '`own_row` or `out_of_vocabulary`';
  return {
    code: 'data.null_value',
    ...where(feature),
    what: `Feature \`${feature.name}\` says \`nulls: error\`, and ${nulls} of ${rows} rows have a null there.`,
    mend: `Fill the column, or say \`nulls:\` ${other} for this feature.`,
  };
}

function tooSmallProblem(feature: FeatureColumns, count: number): Problem {
  return {
    code: 'data.out_of_range',
    ...where(feature),
    what: `Feature \`${feature.name}\` takes log(1 + x), and ${count} rows have an x of -1 or less.`,
    mend: 'Say `transform: none` for this feature, or mend the column.',
  };
}
