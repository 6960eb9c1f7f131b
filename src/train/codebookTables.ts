/** The Parquet tables of a codebook: codes of every item, code vectors, health. `codebook` and `distill` write the same. */
import { codebookHealth, type CodebookHealth } from '../codebooks/health.js';
import { columnsOf, type Batch, type Schema } from '../data/columns.js';
import { writeBatches } from '../data/parquet.js';
import type { ModelState } from '../engine/state.js';
import { codebooksOf } from './codeFitting.js';
import { encodeItems } from './itemEncoding.js';
import type { Workbench } from './workbench.js';

/** Codes of the whole corpus under a student's present state, with its codebook and their health. */
export async function writeCodebook(bench: Workbench, state: ModelState): Promise<CodebookHealth> {
  const { data, device, stage, codes: coder } = bench;
  const { codes, squaredErrors, variance } = await encodeItems(data, state, coder, device);
  const { schema, batch } = codesTable(data.items.ids, codes, coder.levels);
  const codebook = codebookTable(codebooksOf(state, coder), coder.width);
  const health = codebookHealth(codes, coder.levels, coder.codes, squaredErrors, variance);
  await stage.withDuckdb(async (db) => {
    const write = (table: string, tableSchema: Schema, rows: Batch) =>
      stage.write(`${table}/part-00000.parquet`, (path) => writeBatches(db, tableSchema, [rows], path));
    await write('codes', schema, batch);
    await write('codebook', codebookSchema, codebook);
    await write('health', healthSchema, healthTable(health));
  });
  return health;
}

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
