/** The Parquet tables of a codebook: codes of every item, code vectors, health. `codebook` and `distill` write the same. */
import type { CodebookHealth } from '../codebooks/health.js';
import { columnsOf, type Batch, type Schema } from '../data/columns.js';
import { writeBatches } from '../data/parquet.js';
import type { Stage } from '../run/stage.js';

/** `codes`: item_id and its code on each level. */
function codesTable(
  itemIds: BigInt64Array,
  codes: Int32Array,
  levels: number,
): { schema: Schema; batch: Batch } {
  const names = Array.from({ length: levels }, (_, level) => `code_${level + 1}`);
  const schema = Object.fromEntries([
    ['item_id', 'BIGINT'],
    ...names.map((name) => [name, 'SMALLINT']),
  ]) as Schema;
  const column = (level: number) => ({
    values: Int16Array.from(itemIds, (_, item) => codes[item * levels + level]!),
  });
  const columns = Object.fromEntries(names.map((name, level) => [name, column(level)]));
  return { schema, batch: { rows: itemIds.length, columns: { item_id: { values: itemIds }, ...columns } } };
}

/** `codebook`: level (from 1), code, vector. */
const codebookSchema = { level: 'TINYINT', code: 'SMALLINT', vector: 'FLOAT[]' } as const satisfies Schema;

/** Codebooks as one [code, latent] array per level. */
function codebookTable(codebooks: readonly Float32Array[], width: number): Batch {
  const rows = codebooks.flatMap((codebook, level) =>
    Array.from({ length: codebook.length / width }, (_, code) => ({
      level: level + 1,
      code,
      vector: Array.from(codebook.subarray(code * width, (code + 1) * width)),
    })),
  );
  return columnsOf(codebookSchema, rows);
}

/** Writes codes and codebook of a stage. codes: [item, level]; codebooks: per level [code, width]. */
export async function writeCodes(
  stage: Stage,
  itemIds: BigInt64Array,
  codes: Int32Array,
  codebooks: readonly Float32Array[],
  { levels, latentWidth }: { readonly levels: number; readonly latentWidth: number },
): Promise<void> {
  const { schema, batch } = codesTable(itemIds, codes, levels);
  await stage.withDuckdb(async (db) => {
    await stage.write('codes/part-00000.parquet', (path) => writeBatches(db, schema, [batch], path));
    await stage.write('codebook/part-00000.parquet', (path) =>
      writeBatches(db, codebookSchema, [codebookTable(codebooks, latentWidth)], path),
    );
  });
}

/** `health`: level (0 = the whole tuple), metric, value. */
const healthSchema = {
  level: 'TINYINT',
  metric: 'VARCHAR',
  value: 'DOUBLE',
} as const satisfies Schema;

function healthTable(health: CodebookHealth): Batch {
  const rows = health.levels.flatMap(({ level, ...measures }) =>
    Object.entries({
      usage: measures.usage,
      usage_ceiling: measures.usageCeiling,
      perplexity: measures.perplexity,
      perplexity_ceiling: measures.perplexityCeiling,
      gini: measures.gini,
      collisions: measures.collisions,
      relative_error: measures.relativeError,
    }).map(([metric, value]) => ({ level, metric, value })),
  );
  const whole = {
    items: health.items,
    codes: health.codes,
    collisions: health.collisions,
    largest_group: health.largestGroup,
  };
  const tuple = Object.entries(whole).map(([metric, value]) => ({ level: 0, metric, value }));
  return columnsOf(healthSchema, [...tuple, ...rows]);
}

export async function writeHealth(stage: Stage, health: CodebookHealth): Promise<void> {
  await stage.withDuckdb((db) =>
    stage.write('health/part-00000.parquet', (path) =>
      writeBatches(db, healthSchema, [healthTable(health)], path),
    ),
  );
}

/** One line per level for the terminal. */
export function healthLines(health: CodebookHealth): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  return [
    ...health.levels.map(
      ({ level, usage, usageCeiling, perplexity, perplexityCeiling, relativeError }) =>
        `level ${level}: ${percent(usage)} of ${health.codes} codes used (ceiling ${percent(usageCeiling)}), perplexity ${perplexity.toFixed(1)} of ${perplexityCeiling}, relative error ${relativeError.toFixed(3)}`,
    ),
    `${health.items} items, ${percent(health.collisions)} share their codes with an earlier one, largest group ${health.largestGroup}`,
  ];
}
