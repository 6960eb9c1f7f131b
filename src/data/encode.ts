/**
 * Turns columns of values into slots and numbers by a fitted transform. The same code encodes for training and for scoring: it
 * needs the transform and its vocabularies, and no SQL engine.
 *
 * In:  a batch of one source with a column per feature, under the feature's name, of the types of `inputSchema`.
 * Out: slots: Int32Array [row · slot], rows of the embedding table, `unusedSlot` where a list is shorter than its slots;
 *      numbers: Float32Array [row · number].
 */
import { createHash } from 'node:crypto';
import { CascadeError, internal } from '../errors.js';
import type { Batch, ListColumn, ScalarColumn } from './columns.js';
import {
  featuresOf,
  firstValueRow,
  hasVocabulary,
  nullRow,
  outOfVocabularyRow,
  transformed,
  unusedSlot,
  type FeatureSource,
  type FittedFeature,
  type Transform,
} from './features.js';
import type { Vocabularies } from './vocabulary.js';

export interface EncodedRows {
  readonly slots: Int32Array;
  readonly numbers: Float32Array;
}

export class Encoder {
  /** Local row of each value, by feature name. */
  private readonly rowsOfValues: ReadonlyMap<string, ReadonlyMap<string, number>>;

  constructor(
    readonly transform: Transform,
    vocabularies: Vocabularies,
  ) {
    this.rowsOfValues = new Map(
      transform.features
        .filter(({ kind }) => hasVocabulary(kind))
        .map((feature) => {
          const { values } = vocabularies.get(feature.name) ?? internal(`no vocabulary of ${feature.name}`);
          const first = firstValueRow(feature);
          if (first + values.length !== feature.rows) {
            internal(`the vocabulary of ${feature.name} is not the one that its rows were laid out for`);
          }
          return [feature.name, new Map(values.map((value, i) => [value, first + i]))] as const;
        }),
    );
  }

  encode(source: FeatureSource, batch: Batch): EncodedRows {
    const rows: Rows = {
      count: batch.rows,
      slots: new Int32Array(batch.rows * this.transform.slots[source]),
      slotStride: this.transform.slots[source],
      numbers: new Float32Array(batch.rows * this.transform.numbers[source]),
      numberStride: this.transform.numbers[source],
    };
    for (const feature of featuresOf(this.transform, source)) this.encodeFeature(feature, batch, rows);
    return rows;
  }

  private encodeFeature(feature: FittedFeature, batch: Batch, rows: Rows): void {
    const column =
      batch.columns[feature.name] ?? internal(`the batch has no column of feature ${feature.name}`);
    const first = firstValueRow(feature);
    switch (feature.kind) {
      case 'id':
      case 'cross': {
        const known = this.rowsOfValues.get(feature.name)!;
        fillSlot(feature, scalar(column), rows, (text) => known.get(String(text)) ?? outOfVocabularyRow);
        break;
      }
      case 'hashed':
        fillSlot(feature, scalar(column), rows, (text) => first + hashOf(String(text), feature.buckets));
        break;
      case 'bucketised':
        fillSlot(feature, scalar(column), rows, (x) => first + bucketOf(Number(x), feature.boundaries));
        break;
      case 'multi_valued':
        fillSlots(feature, list(column), rows, this.rowsOfValues.get(feature.name)!);
        break;
      case 'numeric':
        fillNumbers(feature, scalar(column), rows);
        break;
    }
  }
}

interface Rows {
  readonly count: number;
  readonly slots: Int32Array; // [row · slot]
  readonly slotStride: number;
  readonly numbers: Float32Array; // [row · number]
  readonly numberStride: number;
}

function fillSlot(
  feature: FittedFeature,
  { values, nulls }: ScalarColumn,
  rows: Rows,
  localRow: (value: string | number | bigint) => number,
): void {
  for (let i = 0; i < rows.count; i++) {
    const value = values[i]!;
    const local = nulls?.[i] || Number.isNaN(value) ? rowOfNull(feature) : localRow(value);
    rows.slots[i * rows.slotStride + feature.slot] = feature.firstRow + local;
  }
}

/** The first values of each list; a null list is one null, an empty list leaves all slots unused, null elements are passed over. */
function fillSlots(
  feature: FittedFeature,
  { offsets, child, nulls }: ListColumn,
  rows: Rows,
  known: ReadonlyMap<string, number>,
): void {
  for (let i = 0; i < rows.count; i++) {
    const first = i * rows.slotStride + feature.slot;
    let filled = 0;
    if (nulls?.[i]) {
      rows.slots[first] = feature.firstRow + rowOfNull(feature);
      filled = 1;
    } else {
      for (let j = offsets[i]!; j < offsets[i + 1]! && filled < feature.slots; j++) {
        if (child.nulls?.[j]) continue;
        const local = known.get(String(child.values[j])) ?? outOfVocabularyRow;
        rows.slots[first + filled++] = feature.firstRow + local;
      }
    }
    rows.slots.fill(unusedSlot, first + filled, first + feature.slots);
  }
}

/** (x - mean) / deviation and 0; for a null 0, which is the mean, and 1. */
function fillNumbers(
  feature: Extract<FittedFeature, { kind: 'numeric' }>,
  { values, nulls }: ScalarColumn,
  rows: Rows,
): void {
  for (let i = 0; i < rows.count; i++) {
    const at = i * rows.numberStride + feature.number;
    const x = nulls?.[i] ? Number.NaN : transformed(Number(values[i]), feature.transform);
    if (Number.isFinite(x)) {
      rows.numbers[at] = (x - feature.mean) / feature.deviation;
    } else {
      refuseNull(feature);
      rows.numbers[at + 1] = 1;
    }
  }
}

function rowOfNull(feature: FittedFeature): number {
  refuseNull(feature);
  return feature.nulls === 'own_row' ? nullRow : outOfVocabularyRow;
}

/** Training data was checked when the transform was fitted; this is for what is scored later. */
function refuseNull(feature: FittedFeature): void {
  if (feature.nulls !== 'error') return;
  throw new CascadeError({
    code: 'data.null_value',
    where: feature.source,
    subject: feature.columns.join(', '),
    what: `Feature \`${feature.name}\` was fitted with \`nulls: error\`, and a value is null.`,
    mend: 'Fill the column.',
  });
}

/** The first 48 bits of the md5 of the value, modulo the buckets: exact in a double, and the same on every engine. */
function hashOf(text: string, buckets: number): number {
  return createHash('md5').update(text).digest().readUIntBE(0, 6) % buckets;
}

/** How many boundaries are at or below the value: a value equal to a boundary falls into the bucket after it. */
function bucketOf(value: number, boundaries: readonly number[]): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (boundaries[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const scalar = (column: ScalarColumn | ListColumn): ScalarColumn =>
  'offsets' in column ? internal('a list where a feature has one value') : column;

const list = (column: ScalarColumn | ListColumn): ListColumn =>
  'offsets' in column ? column : internal('one value where a feature has a list');
