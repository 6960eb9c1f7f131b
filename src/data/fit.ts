/**
 * Fits the transform on training exposures: vocabularies, means and deviations, and the layout of rows, slots and numbers.
 *
 * In:  a relation per source (users, requests, items) with the feature's columns and `training_count`, how often the row occurs in
 *      training: once per training request for users and requests, once per exposed candidate for items. A row of count 0 is not
 *      looked at, but for the null rule `error`, which holds for all rows.
 * Out: the transform, the vocabularies, and what was found on the way.
 */
import type { FeatureConfig, FeaturesConfig, SamplesConfig } from '../config/config.js';
import { CascadeError } from '../errors.js';
import type { Duckdb } from './duckdb.js';
import { checkColumns, columnsOfFeature } from './featureColumns.js';
import {
  firstValueRow,
  transformVersion,
  type FeatureSource,
  type FittedFeature,
  type Transform,
} from './features.js';
import { fitMoments } from './moments.js';
import { checkNulls, type Configured } from './nulls.js';
import { fitVocabulary, type Vocabulary } from './vocabulary.js';

export interface FeatureFit {
  readonly name: string;
  readonly rows: number;
  /** Share of training requests (items: exposures) where the feature is null. */
  readonly nullShare: number;
}

export interface Fitted {
  readonly transform: Transform;
  readonly vocabularies: ReadonlyMap<string, Vocabulary>;
  readonly fits: readonly FeatureFit[];
}

export async function fitTransform(
  db: Duckdb,
  config: FeaturesConfig,
  sequence: SamplesConfig['sequence'],
  relations: Readonly<Record<FeatureSource, string>>,
): Promise<Fitted> {
  const configured = [
    ...config.user.map((feature) => ({ side: 'user' as const, feature })),
    ...config.context.map((feature) => ({ side: 'context' as const, feature })),
    ...config.item.map((feature) => ({ side: 'item' as const, feature })),
  ].map(({ side, feature }) => ({ side, feature, reads: columnsOfFeature(feature) }));
  await checkColumns(
    db,
    configured.map(({ reads }) => reads),
    relations,
  );
  const nullShares = await checkNulls(db, configured, relations);

  const fitting = new Fitting(db, config.minCount, relations, nullShares);
  const features: FittedFeature[] = [];
  for (const one of configured) features.push(await fitting.fit(one));
  return {
    transform: {
      version: transformVersion,
      rows: fitting.rows,
      slots: fitting.slots,
      numbers: fitting.numbers,
      features,
      sequence: {
        features: [...config.sequence],
        events: [...sequence.events],
        maxLength: sequence.maxLength,
        delaySeconds: sequence.delaySeconds,
      },
    },
    vocabularies: fitting.vocabularies,
    fits: features.map(({ name, rows }) => ({ name, rows, nullShare: nullShares.get(name) ?? 0 })),
  };
}

/** Rows are told by 32-bit numbers in everything that is encoded. */
const mostRows = 2 ** 31 - 1;

function tooManyRows(feature: string, rows: number): CascadeError {
  return new CascadeError({
    code: 'data.too_many_rows',
    where: 'features',
    subject: feature,
    what: `With this feature the embedding table has ${rows} rows; there can be ${mostRows}.`,
    mend: 'Give hashed features fewer buckets, or raise features.min_count.',
  });
}

/** Fits features one after the other and hands out rows, slots and numbers in their order. */
class Fitting {
  rows = 0;
  readonly slots = { users: 0, requests: 0, items: 0 };
  readonly numbers = { users: 0, requests: 0, items: 0 };
  readonly vocabularies = new Map<string, Vocabulary>();

  constructor(
    private readonly db: Duckdb,
    private readonly minCount: number,
    private readonly relations: Readonly<Record<FeatureSource, string>>,
    private readonly nullShares: ReadonlyMap<string, number>,
  ) {}

  async fit(one: Configured & { readonly side: FittedFeature['side'] }): Promise<FittedFeature> {
    const { feature, reads } = one;
    const relation = this.relations[reads.source];
    switch (feature.kind) {
      case 'id':
      case 'cross': {
        const minCount = feature.minCount ?? this.minCount;
        const values = await this.vocabulary(one, { minCount });
        const nulls = this.nullRule(feature);
        return {
          ...this.place(one, firstValueRow({ nulls }) + values, 1, 0),
          kind: feature.kind,
          nulls,
          minCount,
        };
      }
      case 'multi_valued': {
        const { kind, maxValues, minCount = this.minCount } = feature;
        const values = await this.vocabulary(one, { minCount, maxValues });
        const nulls = this.nullRule(feature);
        const rows = firstValueRow({ nulls }) + values;
        return { ...this.place(one, rows, maxValues, 0), kind, nulls, minCount, maxValues };
      }
      case 'hashed': {
        const { kind, buckets } = feature;
        const nulls = this.nullRule(feature);
        return { ...this.place(one, firstValueRow({ nulls }) + buckets, 1, 0), kind, nulls, buckets };
      }
      case 'bucketised': {
        const boundaries = [...feature.boundaries];
        const nulls = this.nullRule(feature);
        const rows = firstValueRow({ nulls }) + boundaries.length + 1;
        return { ...this.place(one, rows, 1, 0), kind: feature.kind, nulls, boundaries };
      }
      case 'numeric': {
        const { kind, nulls, transform } = feature;
        const moments = await fitMoments(this.db, reads, transform, relation);
        return { ...this.place(one, 0, 0, 2), kind, nulls, transform, ...moments };
      }
    }
  }

  /** A row for nulls only where training has nulls: one that is never trained would be noise when a null comes. */
  private nullRule({ name, nulls }: Exclude<FeatureConfig, { kind: 'numeric' }>) {
    return nulls === 'own_row' && this.nullShares.get(name) === 0 ? 'out_of_vocabulary' : nulls;
  }

  private async vocabulary(
    { feature, reads }: Configured,
    limits: { minCount: number; maxValues?: number },
  ): Promise<number> {
    const vocabulary = await fitVocabulary(this.db, reads, limits, this.relations[reads.source]);
    this.vocabularies.set(feature.name, vocabulary);
    return vocabulary.values.length;
  }

  private place(
    { feature, reads, side }: Configured & { readonly side: FittedFeature['side'] },
    rows: number,
    slots: number,
    numbers: number,
  ) {
    const { source } = reads;
    const place = {
      name: feature.name,
      side,
      source,
      columns: [...reads.columns],
      firstRow: this.rows,
      rows,
      slot: this.slots[source],
      slots,
      number: this.numbers[source],
      numbers,
    };
    this.rows += rows;
    if (this.rows > mostRows) throw tooManyRows(feature.name, this.rows);
    this.slots[source] += slots;
    this.numbers[source] += numbers;
    return place;
  }
}
