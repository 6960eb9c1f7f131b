/** Writes a set as Parquet parts while its rows stream, and counts what goes by. */
import { type Batch, type ListColumn, type ScalarColumn } from '../data/columns.js';
import type { Duckdb } from '../data/duckdb.js';
import { writeBatches, type Metadata } from '../data/parquet.js';
import { splits, type Split } from '../data/shards.js';
import { returnGarbageAtTimes } from '../memory.js';
import type { Stage } from '../run/stage.js';
import { groupedSchema, groupRequests, inWords } from './group.js';
import { negativeKindWords } from './rows.js';

/** Requests of one part: a shard of training data. */
const requestsPerPart = 8192;

export interface Part {
  /** Without folder and ending: part-00000. */
  readonly name: string;
  readonly split: Split;
  readonly requests: number;
  readonly candidates: number;
  readonly positives: number;
  readonly maxCandidates: number;
}

export interface SplitCounts {
  requests: number;
  candidates: number;
  positives: number;
  /** Requests with one candidate: legal in set A, left out of list losses and list metrics. */
  singles: number;
  /** Requests before which the user has no behaviour. */
  withoutHistory: number;
  /** Candidates by kind of negative. */
  readonly negatives: Record<string, number>;
}

export interface WrittenSet {
  readonly parts: readonly Part[];
  readonly counts: Readonly<Record<Split, SplitCounts>>;
}

export async function writeSet(
  stage: Stage,
  db: Duckdb,
  table: 'samples_a' | 'samples_b',
  rows: AsyncIterable<Batch>,
  metadata: Metadata,
): Promise<WrittenSet> {
  const parts: Part[] = [];
  const counts = { train: noCounts(), validation: noCounts(), test: noCounts() };
  await db.alongside(async (writer) => {
    for await (const batch of groupRequests(rows, requestsPerPart)) {
      const name = `part-${String(parts.length).padStart(5, '0')}`;
      await stage.write(
        `${table}/${name}.parquet`,
        (temporary) => writeBatches(writer, groupedSchema, [batch], temporary, metadata, inWords),
        metadata.schema_version,
      );
      const split = splits.find((known) => known === scalar(batch, 'split').values[0])!; // groupRequests wrote it
      const sizes = sizesOf(batch);
      parts.push({ name, split, ...sizes });
      counts[split].positives += sizes.positives;
      count(batch, counts[split]);
      returnGarbageAtTimes(); // rows that were being read when what had died young was collected have died old
    }
  });
  return { parts, counts };
}

function sizesOf(batch: Batch) {
  const { offsets, child: labels } = list(batch, 'label');
  let maxCandidates = 0;
  for (let i = 0; i < batch.rows; i++) maxCandidates = Math.max(maxCandidates, offsets[i + 1]! - offsets[i]!);
  let positives = 0;
  for (let i = 0; i < labels.values.length; i++) if (labels.values[i] === 1) positives++;
  return { requests: batch.rows, candidates: offsets[batch.rows]!, positives, maxCandidates };
}

const noCounts = (): SplitCounts => ({
  requests: 0,
  candidates: 0,
  positives: 0,
  singles: 0,
  withoutHistory: 0,
  negatives: Object.fromEntries(negativeKindWords.filter(Boolean).map((word) => [word, 0])),
});

function count(batch: Batch, counts: SplitCounts): void {
  const { offsets, child: labels } = list(batch, 'label');
  const kinds = list(batch, 'negative_kind').child.values;
  const behaviours = scalar(batch, 'n_behaviours').values;
  counts.requests += batch.rows;
  counts.candidates += labels.values.length;
  for (let i = 0; i < batch.rows; i++) {
    if (offsets[i + 1]! - offsets[i]! === 1) counts.singles++;
    if (behaviours[i] === 0) counts.withoutHistory++;
  }
  for (let i = 0; i < labels.values.length; i++) {
    const kind = negativeKindWords[Number(kinds[i])]!;
    if (kind !== '') counts.negatives[kind]! += 1;
  }
}

// The types of these columns are those of groupedSchema.
const scalar = (batch: Batch, name: keyof typeof groupedSchema) => batch.columns[name] as ScalarColumn;
const list = (batch: Batch, name: keyof typeof groupedSchema) => batch.columns[name] as ListColumn;

// ------------------------------------------------------------------------------------------------------- item frequency

const frequencySchema = {
  dt: 'VARCHAR',
  item_id: 'BIGINT',
  n_pos: 'BIGINT',
  q: 'DOUBLE',
  log_q: 'DOUBLE',
} as const;

/** item_freq: q = n_pos / total of the day, and its natural logarithm, which SQL engines round differently. */
export async function writeItemFrequency(
  stage: Stage,
  db: Duckdb,
  query: string,
  metadata: Metadata,
): Promise<void> {
  await db.alongside((writer) =>
    stage.write(
      'item_freq/part-00000.parquet',
      (temporary) => writeBatches(writer, frequencySchema, withShares(db.stream(query)), temporary, metadata),
      metadata.schema_version,
    ),
  );
}

async function* withShares(rows: AsyncIterable<Batch>): AsyncGenerator<Batch> {
  for await (const { rows: length, columns } of rows) {
    const { dt, item_id, n_pos, total } = columns as Record<string, ScalarColumn>; // see itemFrequencyRows
    const q = Float64Array.from({ length }, (_, i) => Number(n_pos!.values[i]) / Number(total!.values[i]));
    yield {
      rows: length,
      columns: {
        dt: dt!,
        item_id: item_id!,
        n_pos: n_pos!,
        q: { values: q },
        log_q: { values: q.map(Math.log) },
      },
    };
  }
}
