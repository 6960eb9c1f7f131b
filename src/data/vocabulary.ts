/**
 * Vocabularies: which value of a feature has which embedding row. Fitted on training exposures alone, ordered by count (most
 * frequent first) and then by value, so that the same data always gives the same rows.
 *
 * File: vocabulary/part-00000.parquet with feature, value, row (in the shared embedding table), count; by feature, then row.
 */
import { columnsOf, type Batch, type ScalarColumn, type Schema } from './columns.js';
import type { Duckdb } from './duckdb.js';
import { featureExpression, trainingCount, type FeatureColumns } from './featureColumns.js';
import { firstValueRow, hasVocabulary, type Transform } from './features.js';
import { parquetSource, writeBatches, type Metadata } from './parquet.js';

/** The values of one feature in the order of their rows, and how often each occurs in training. */
export interface Vocabulary {
  readonly values: readonly string[];
  readonly counts: readonly number[];
}

/** By feature name. */
export type Vocabularies = ReadonlyMap<string, Vocabulary>;

const schema = { feature: 'VARCHAR', value: 'VARCHAR', row: 'INTEGER', count: 'BIGINT' } satisfies Schema;
const rowsPerBatch = 8192;

/** The values of a feature that occur at least `minCount` times in training; a list counts each value that it keeps. */
export async function fitVocabulary(
  db: Duckdb,
  feature: FeatureColumns,
  limits: { minCount: number; maxValues?: number },
  relation: string,
): Promise<Vocabulary> {
  const expression = featureExpression(feature);
  const value =
    limits.maxValues === undefined ? expression : `unnest((${expression})[1:${limits.maxValues}])`;
  const values: string[] = [];
  const counts: number[] = [];
  const rows = db.stream(`
    SELECT value, CAST(sum(${trainingCount}) AS BIGINT) AS count
    FROM (SELECT ${value} AS value, ${trainingCount} FROM ${relation} WHERE ${trainingCount} > 0)
    WHERE value IS NOT NULL
    GROUP BY value
    HAVING sum(${trainingCount}) >= ${limits.minCount}
    ORDER BY count DESC, value`);
  for await (const batch of rows) {
    const texts = scalars(batch, 'value').values;
    const numbers = scalars(batch, 'count').values;
    for (let i = 0; i < batch.rows; i++) {
      values.push(String(texts[i]));
      counts.push(Number(numbers[i]));
    }
  }
  return { values, counts };
}

export async function writeVocabularies(
  db: Duckdb,
  transform: Transform,
  vocabularies: Vocabularies,
  path: string,
  metadata: Metadata,
): Promise<number> {
  return writeBatches(db, schema, vocabularyBatches(transform, vocabularies), path, metadata);
}

function* vocabularyBatches(transform: Transform, vocabularies: Vocabularies): Generator<Batch> {
  for (const feature of transform.features) {
    const vocabulary = vocabularies.get(feature.name);
    if (!vocabulary) continue;
    const first = feature.firstRow + firstValueRow(feature);
    for (let start = 0; start < vocabulary.values.length; start += rowsPerBatch) {
      const part = vocabulary.values.slice(start, start + rowsPerBatch).map((value, i) => ({
        feature: feature.name,
        value,
        row: first + start + i,
        count: vocabulary.counts[start + i]!,
      }));
      yield columnsOf(schema, part);
    }
  }
}

export async function readVocabularies(
  db: Duckdb,
  transform: Transform,
  paths: readonly string[],
): Promise<Vocabularies> {
  const read = new Map<string, { values: string[]; counts: number[] }>();
  for (const { name, kind } of transform.features) {
    if (hasVocabulary(kind)) read.set(name, { values: [], counts: [] });
  }
  const query = `SELECT feature, value, count FROM ${parquetSource(paths)} ORDER BY row`;
  for await (const batch of db.stream(query)) {
    const features = scalars(batch, 'feature').values;
    const values = scalars(batch, 'value').values;
    const counts = scalars(batch, 'count').values;
    for (let i = 0; i < batch.rows; i++) {
      const vocabulary = read.get(String(features[i]));
      vocabulary?.values.push(String(values[i]));
      vocabulary?.counts.push(Number(counts[i]));
    }
  }
  return read;
}

// The queries above select scalars only.
const scalars = (batch: Batch, name: string) => batch.columns[name] as ScalarColumn;
