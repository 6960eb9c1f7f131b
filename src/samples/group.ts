/**
 * Groups the stream of long sorted rows into parts: one row per request with its candidates as lists. A part holds one split only
 * and at most `maxRequests` requests, so memory is bounded by parts, whatever the length of the log (storage.md, section 8).
 */
import {
  allocate,
  columnsOf,
  type Batch,
  type Cell,
  type Column,
  type ScalarColumn,
  type Schema,
} from '../data/columns.js';
import { splits } from '../data/shards.js';
import { internal } from '../errors.js';
import { longRow, negativeKindWords } from './rows.js';

/** Columns that say the same in every row of a request. */
const requestSchema = {
  request_id: 'BIGINT',
  user_id: 'BIGINT',
  request_ts: 'TIMESTAMP_MS',
  dt: 'VARCHAR',
  split: 'VARCHAR',
  n_behaviours: 'INTEGER',
} as const satisfies Schema;

/** Columns of samples_a and samples_b. A null negative kind is a positive; a null draw probability is a logged candidate. */
export const sampleSchema = {
  ...requestSchema,
  item_ids: 'BIGINT[]',
  label: 'TINYINT[]',
  exposed: 'BOOLEAN[]',
  stage: 'TINYINT[]',
  negative_kind: 'VARCHAR[]',
  weight: 'FLOAT[]',
  incl_prob: 'FLOAT[]',
  draw_prob: 'FLOAT[]',
} as const satisfies Schema;

/** Parts of whole requests from rows in the order of rows.ts. */
export async function* groupRequests(rows: AsyncIterable<Batch>, maxRequests: number): AsyncGenerator<Batch> {
  let part = new Part();
  let request: unknown;
  let split: unknown;
  for await (const batch of rows) {
    const requestOf = scalar(batch, 'request_id').values;
    const splitOf = scalar(batch, 'split').values;
    let from = 0; // rows from here on are not in a part yet
    for (let row = 0; row < batch.rows; row++) {
      if (requestOf[row] === request) continue;
      if (part.requests === maxRequests || (part.requests > 0 && splitOf[row] !== split)) {
        part.take(batch, from, row);
        yield part.finish();
        part = new Part();
        from = row;
      }
      request = requestOf[row];
      split = splitOf[row];
      part.begin(batch, row, row - from);
    }
    part.take(batch, from, batch.rows);
  }
  if (part.requests > 0) yield part.finish();
}

class Part {
  /** Ranges of the batches that the part's rows came in. */
  private readonly pieces: { batch: Batch; from: number; to: number }[] = [];
  private readonly requestRows: Record<keyof typeof requestSchema, Cell>[] = [];
  private readonly offsets: number[] = [];
  private rows = 0;

  get requests(): number {
    return this.requestRows.length;
  }

  /** A request begins at this row, `ahead` rows after those taken so far. */
  begin(batch: Batch, row: number, ahead: number): void {
    const cell = (name: keyof typeof longRow) => scalar(batch, name).values[row]!;
    this.offsets.push(this.rows + ahead);
    this.requestRows.push({
      request_id: cell('request_id'),
      user_id: cell('user_id'),
      request_ts: cell('ts'),
      dt: cell('dt'),
      split: splits[Number(cell('split'))]!,
      n_behaviours: cell('n_behaviours'),
    });
  }

  take(batch: Batch, from: number, to: number): void {
    if (to > from) this.pieces.push({ batch, from, to });
    this.rows += to - from;
  }

  finish(): Batch {
    const offsets = Int32Array.from([...this.offsets, this.rows]);
    const list = (child: ScalarColumn): Column => ({ offsets, child });
    const candidates: Record<Exclude<keyof typeof sampleSchema, keyof typeof requestSchema>, Column> = {
      item_ids: list(this.joined('item_id')),
      label: list(this.joined('label')),
      exposed: list(this.joined('exposed')),
      stage: list(this.joined('stage')),
      negative_kind: list(inWords(this.joined('negative_kind'))),
      weight: list(this.joined('weight')),
      incl_prob: list(this.joined('incl_prob')),
      draw_prob: list(this.joined('draw_prob')),
    };
    const { columns } = columnsOf(requestSchema, this.requestRows);
    return { rows: this.requests, columns: { ...columns, ...candidates } };
  }

  private joined(name: Exclude<keyof typeof longRow, 'dt'>): ScalarColumn {
    const values = allocate(longRow[name], this.rows);
    const nulls = new Uint8Array(this.rows);
    let at = 0;
    for (const { batch, from, to } of this.pieces) {
      const column = scalar(batch, name);
      if (Array.isArray(values) || Array.isArray(column.values)) internal(`${name} is no number`);
      values.set(column.values.subarray(from, to) as never, at); // both are of the type that longRow states
      if (column.nulls) nulls.set(column.nulls.subarray(from, to), at);
      at += to - from;
    }
    return nulls.includes(1) ? { values, nulls } : { values };
  }
}

function inWords({ values: codes }: ScalarColumn): ScalarColumn {
  const values: string[] = [];
  const nulls = new Uint8Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    values.push(negativeKindWords[Number(codes[i])]!);
    if (values[i] === '') nulls[i] = 1;
  }
  return { values, nulls };
}

function scalar(batch: Batch, name: string): ScalarColumn {
  const column = batch.columns[name] ?? internal(`no column ${name} in the rows of samples`);
  return 'offsets' in column ? internal(`${name} is a list`) : column;
}
