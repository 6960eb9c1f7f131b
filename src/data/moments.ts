/** Mean and standard deviation of a numeric feature over training. */
import type { Duckdb } from './duckdb.js';
import { featureExpression, trainingCount, type FeatureColumns } from './featureColumns.js';
import { transformed } from './features.js';

export interface Moments {
  readonly mean: number;
  readonly deviation: number;
}

/**
 * In one pass (West 1979, weighted): with weight w and total W after it,
 *   mean += (x - mean) w / W;   S += w (x - old mean)(x - new mean);   deviation = sqrt(S / W).
 * Values come in ascending order, so that the rounding, and with it the last bit, does not depend on the order of the rows.
 * A feature that never varies, or has no value, keeps deviation 1.
 */
export async function fitMoments(
  db: Duckdb,
  feature: FeatureColumns,
  transform: 'none' | 'log1p',
  relation: string,
): Promise<Moments> {
  let total = 0;
  let mean = 0;
  let squares = 0;
  const rows = db.stream(`
    SELECT value, CAST(sum(${trainingCount}) AS BIGINT) AS count
    FROM (SELECT ${featureExpression(feature)} AS value, ${trainingCount} FROM ${relation} WHERE ${trainingCount} > 0)
    WHERE value IS NOT NULL
    GROUP BY value
    ORDER BY value`);
  for await (const { rows: length, columns } of rows) {
    const { value, count } = columns;
    if (!value || !count || 'offsets' in value || 'offsets' in count) continue; // both are scalars: see the query
    for (let i = 0; i < length; i++) {
      const x = transformed(Number(value.values[i]), transform);
      const weight = Number(count.values[i]);
      total += weight;
      const before = mean;
      mean += ((x - before) * weight) / total;
      squares += weight * (x - before) * (x - mean);
    }
  }
  const deviation = total > 0 ? Math.sqrt(squares / total) : 0;
  return { mean, deviation: deviation > 0 ? deviation : 1 };
}
