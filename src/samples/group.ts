/**
 * Groups the stream of long sorted rows into parts: one row per request with its candidates as lists. A part holds one split only
 * and at most `maxRequests` requests, so memory is bounded by parts, whatever the length of the log (storage.md, section 8).
 */
import {
  allocate,
  type Batch,
  type Column,
  type ScalarColumn,
  type ScalarType,
  type Schema,
  type Values,
} from '../data/columns.js';
import { sqlText } from '../data/duckdb.js';
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

/** The same as the rows are grouped: a kind is its number, a byte where a word is an object and 16 bytes of the SQL engine. */
export const groupedSchema = { ...sampleSchema, negative_kind: 'TINYINT[]' } as const satisfies Schema;

/** Of a table of `groupedSchema`, the columns of `sampleSchema`, for the SQL engine to write. */
export const inWords = `* REPLACE (
  list_transform(negative_kind, lambda kind: CASE kind ${negativeKindWords
    .map((word, kind) => (word === '' ? '' : `WHEN ${kind} THEN ${sqlText(word)}`))
    .join(' ')} END) AS negative_kind)`;

/** Parts of whole requests from rows in the order of rows.ts. A part's arrays are written again for the next one. */
export async function* groupRequests(rows: AsyncIterable<Batch>, maxRequests: number): AsyncGenerator<Batch> {
  const part = new Part();
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
        yield part.finished();
        part.clear();
        from = row;
      }
      request = requestOf[row];
      split = splitOf[row];
      part.begin(batch, row, row - from);
    }
    part.take(batch, from, batch.rows);
  }
  if (part.requests > 0) yield part.finished();
}

class Part {
  /** One value a request. */
  private readonly ofRequests = growing(requestColumns);
  private readonly days: string[] = [];
  private split = '';
  private readonly offsets: number[] = [];
  private readonly candidates = growing(candidateColumns);
  private rows = 0;

  get requests(): number {
    return this.days.length;
  }

  /** A request begins at this row, `ahead` rows after those taken so far. */
  begin(batch: Batch, row: number, ahead: number): void {
    this.offsets.push(this.rows + ahead);
    for (const name of requestColumns)
      this.ofRequests[name].append(scalar(batch, name), row, row + 1, this.requests);
    this.days.push(String(scalar(batch, 'dt').values[row]));
    this.split = splits[Number(scalar(batch, 'split').values[row])]!;
  }

  take(batch: Batch, from: number, to: number): void {
    for (const name of candidateColumns)
      this.candidates[name].append(scalar(batch, name), from, to, this.rows);
    this.rows += to - from;
  }

  finished(): Batch {
    const offsets = Int32Array.from([...this.offsets, this.rows]);
    const list = (name: CandidateColumn): Column => ({
      offsets,
      child: this.candidates[name].first(this.rows),
    });
    const candidates: Record<Exclude<keyof typeof sampleSchema, keyof typeof requestSchema>, Column> = {
      item_ids: list('item_id'),
      label: list('label'),
      exposed: list('exposed'),
      stage: list('stage'),
      negative_kind: list('negative_kind'),
      weight: list('weight'),
      incl_prob: list('incl_prob'),
      draw_prob: list('draw_prob'),
    };
    const { requests } = this;
    const ofRequest = (name: RequestColumn): Column => this.ofRequests[name].first(requests);
    const columns: Record<keyof typeof requestSchema, Column> = {
      request_id: ofRequest('request_id'),
      user_id: ofRequest('user_id'),
      request_ts: ofRequest('ts'),
      dt: { values: [...this.days] },
      split: { values: new Array<string>(requests).fill(this.split) },
      n_behaviours: ofRequest('n_behaviours'),
    };
    return { rows: requests, columns: { ...columns, ...candidates } };
  }

  clear(): void {
    this.days.length = 0;
    this.offsets.length = 0;
    this.rows = 0;
  }
}

const requestColumns = [
  'request_id',
  'user_id',
  'ts',
  'n_behaviours',
] as const satisfies readonly LongColumn[];
type RequestColumn = (typeof requestColumns)[number];

const candidateColumns = [
  'item_id',
  'label',
  'exposed',
  'stage',
  'negative_kind',
  'weight',
  'incl_prob',
  'draw_prob',
] as const satisfies readonly LongColumn[];
type CandidateColumn = (typeof candidateColumns)[number];

type LongColumn = keyof typeof longRow;

const growing = <T extends LongColumn>(names: readonly T[]) =>
  Object.fromEntries(names.map((name) => [name, new GrowingColumn(longRow[name])])) as Record<
    T,
    GrowingColumn
  >; // the names just gone through

/** Values with nulls in arrays that grow and are used again. */
class GrowingColumn {
  private values: Numbers;
  private nulls = new Uint8Array(0);

  constructor(private readonly type: ScalarType) {
    this.values = numbers(type, 0);
  }

  /** Appends rows `from` to `to` of a column behind the first `at` values. */
  append({ values, nulls }: ScalarColumn, from: number, to: number, at: number): void {
    const end = at + to - from;
    if (end > this.values.length) this.grow(Math.max(end, 2 * this.values.length));
    this.values.set((values as Numbers).subarray(from, to) as never, at); // both are of the type that longRow states
    if (nulls) this.nulls.set(nulls.subarray(from, to), at);
    else this.nulls.fill(0, at, end);
  }

  first(count: number): ScalarColumn {
    const values = this.values.subarray(0, count);
    const nulls = this.nulls.subarray(0, count);
    return nulls.includes(1) ? { values, nulls } : { values };
  }

  private grow(length: number): void {
    const { values, nulls } = this;
    this.values = numbers(this.type, length);
    this.values.set(values as never); // as above
    this.nulls = new Uint8Array(length);
    this.nulls.set(nulls);
  }
}

type Numbers = Exclude<Values, string[]>;

function numbers(type: ScalarType, length: number): Numbers {
  const values = allocate(type, length);
  return Array.isArray(values) ? internal(`${type} is no number`) : values;
}

function scalar(batch: Batch, name: string): ScalarColumn {
  const column = batch.columns[name] ?? internal(`no column ${name} in the rows of samples`);
  return 'offsets' in column ? internal(`${name} is a list`) : column;
}
