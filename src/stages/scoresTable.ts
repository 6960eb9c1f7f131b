/** `scores`: split, set, request_id, item_id, label, and a logit per model; a part per set and split, in the order of the shards. */
import type { Batch, ScalarColumn, Schema } from '../data/columns.js';
import { writeQuery } from '../data/parquet.js';
import { PiecewiseTable } from '../data/piecewiseTable.js';
import type { ModelName } from '../metrics/metricRow.js';
import type { Config } from '../config/config.js';
import { studentName, type PreRankerName } from '../models/registry.js';
import type { Stage } from '../run/stage.js';
import type { Scored } from '../train/scoredModels.js';

/** Candidates that are made into columns at a time. */
const candidatesPerBatch = 2 ** 14;

export class ScoresTable {
  private parts = 0;
  private readonly schema: Schema;

  /** `itemIds`: by the item's index; `columns`: the models by their own names. */
  constructor(
    private readonly stage: Stage,
    private readonly config: Config,
    private readonly itemIds: BigInt64Array,
    private readonly columns: readonly (PreRankerName | 'teacher')[],
  ) {
    this.schema = {
      split: 'VARCHAR',
      set: 'VARCHAR',
      request_id: 'BIGINT',
      item_id: 'BIGINT',
      label: 'TINYINT',
      ...Object.fromEntries(columns.map((name) => [name, 'FLOAT' as const])),
    };
  }

  async write(scored: Scored): Promise<void> {
    const { stage } = this;
    const file = `scores/part-${String(this.parts++).padStart(5, '0')}.parquet`;
    await stage.withDuckdb(async (db) => {
      const table = await PiecewiseTable.open(db, 'all_scores', this.schema);
      for (const batch of this.batches(scored)) await table.append(batch);
      await table.close();
      await stage.write(file, async (path) => {
        await writeQuery(db, 'SELECT * FROM all_scores', path); // in the order of its rows
        return scored.rows.item.length;
      });
    });
  }

  private *batches({ set, split, rows, models }: Scored): Generator<Batch> {
    const { itemIds, columns } = this;
    const student = studentName(this.config);
    const logits = columns.map((name) => {
      const model: ModelName = name === student ? 'student' : name;
      return models.find((scored) => scored.model === model)?.logits;
    });
    let request = 0;
    for (let from = 0; from < rows.item.length; from += candidatesPerBatch) {
      const to = Math.min(rows.item.length, from + candidatesPerBatch);
      const requestIds = new BigInt64Array(to - from);
      for (let candidate = from; candidate < to; candidate++) {
        while (rows.offsets[request + 1]! <= candidate) request++;
        requestIds[candidate - from] = rows.requestId[request]!;
      }
      yield {
        rows: to - from,
        columns: {
          split: { values: Array<string>(to - from).fill(split) },
          set: { values: Array<string>(to - from).fill(set) },
          request_id: { values: requestIds },
          item_id: { values: BigInt64Array.from(rows.item.subarray(from, to), (item) => itemIds[item]!) },
          label: { values: Int8Array.from(rows.label.subarray(from, to)) },
          ...Object.fromEntries(columns.map((name, i) => [name, part(logits[i], from, to)])),
        },
      };
    }
  }
}

/** Nulls where the model has not scored this set. */
function part(logits: Float32Array | undefined, from: number, to: number): ScalarColumn {
  if (logits) return { values: logits.subarray(from, to) };
  return { values: new Float32Array(to - from), nulls: new Uint8Array(to - from).fill(1) };
}
