/**
 * The fitted transform: what turns a user, a request or an item into embedding rows and numbers, for training and for scoring.
 *
 * - A *slot* is one look-up in the one embedding table that all features share. Every feature has its own rows there, from
 *   `firstRow` on; two features never share a row. id, hashed, bucketised and cross features have one slot, a multi-valued one
 *   has `maxValues`, unused slots being `unusedSlot`.
 * - Rows of a feature: 0 = out of vocabulary, 1 = null, then its values. There is a row for nulls where the config gives them one
 *   and training has nulls; else they take row 0. A vocabulary is ordered by count, then by value; a bucketised feature has a row
 *   per bucket, a hashed one a row per hash.
 * - A *number* enters the towers as it is. A numeric feature has two: the standardised value and 1 where it was null.
 *
 * Slots and numbers are laid out per source: `users` and `items` are encoded once per entity, `requests` once per request. So
 * the user side of a model is made of `users` and `requests` columns, in the order of `features` here.
 */
import * as z from 'zod';
import { camelKeys, type FeatureConfig } from '../config/config.js';
import { CascadeError } from '../errors.js';

/** Value in a slot of a multi-valued feature that holds nothing. */
export const unusedSlot = -1;

export const outOfVocabularyRow = 0;
export const nullRow = 1;

/** Version of transform.json and of the vocabulary beside it. */
export const transformVersion = 1;

/** Tables that features are read from. */
export const featureSources = ['users', 'requests', 'items'] as const;
export type FeatureSource = (typeof featureSources)[number];

const whole = z.int().min(0);

const place = {
  name: z.string(),
  /** Where it enters a model; context enters on the user side. */
  side: z.enum(['user', 'context', 'item']),
  source: z.enum(featureSources),
  /** Columns of the source it is made of. */
  columns: z.array(z.string()).min(1),
  /** Its rows of the embedding table; 0 rows for a number. */
  firstRow: whole,
  rows: whole,
  /** Its slots among those of the source. */
  slot: whole,
  slots: whole,
  /** Its numbers among those of the source. */
  number: whole,
  numbers: whole,
};

const nulls = z.enum(['own_row', 'out_of_vocabulary', 'error']);

const fittedFeature = z.discriminatedUnion('kind', [
  z.strictObject({ ...place, kind: z.literal('id'), nulls, minCount: whole }),
  z.strictObject({ ...place, kind: z.literal('hashed'), nulls, buckets: whole }),
  z.strictObject({ ...place, kind: z.literal('bucketised'), nulls, boundaries: z.array(z.number()) }),
  z.strictObject({
    ...place,
    kind: z.literal('numeric'),
    nulls: z.enum(['mean', 'error']),
    transform: z.enum(['none', 'log1p']),
    mean: z.number(),
    deviation: z.number().positive(),
  }),
  z.strictObject({ ...place, kind: z.literal('multi_valued'), nulls, minCount: whole, maxValues: whole }),
  z.strictObject({ ...place, kind: z.literal('cross'), nulls, minCount: whole }),
]);

const transformSchema = z.strictObject({
  version: z.literal(transformVersion),
  /** Rows of the embedding table. */
  rows: whole,
  /** Slots and numbers of an entity, per source. */
  slots: z.strictObject({ users: whole, requests: whole, items: whole }),
  numbers: z.strictObject({ users: whole, requests: whole, items: whole }),
  /** User features, then context, then item features, each as configured. */
  features: z.array(fittedFeature),
  sequence: z.strictObject({
    /** Item features that describe a behaviour. */
    features: z.array(z.string()),
    events: z.array(z.string()),
    maxLength: whole,
    delaySeconds: z.number(),
  }),
});

export type FittedFeature = z.output<typeof fittedFeature>;
export type Transform = z.output<typeof transformSchema>;

/** Whether the rows of a kind are a vocabulary that was fitted on training exposures. */
export const hasVocabulary = (kind: FeatureConfig['kind']) =>
  kind === 'id' || kind === 'multi_valued' || kind === 'cross';

/** The first local row that belongs to a value. */
export const firstValueRow = (feature: { readonly nulls: FittedFeature['nulls'] }) =>
  feature.nulls === 'own_row' ? nullRow + 1 : outOfVocabularyRow + 1;

/** The number of a numeric feature that is standardised. */
export const transformed = (value: number, transform: 'none' | 'log1p') =>
  transform === 'log1p' ? Math.log1p(value) : value;

export const featuresOf = (transform: Transform, source: FeatureSource): readonly FittedFeature[] =>
  transform.features.filter((feature) => feature.source === source);

/** The text of transform.json: keys in snake_case, values as they are. */
export function transformText(transform: Transform): string {
  return `${JSON.stringify(snakeKeys(transform), null, 2)}\n`;
}

/** The transform of a transform.json; `where` is the file's name for messages. */
export function parseTransform(text: string, where: string): Transform {
  const parsed = transformSchema.safeParse(camelKeys<unknown>(JSON.parse(text)));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CascadeError({
    code: 'data.other_version',
    where,
    subject: issue?.path.join('.') ?? 'transform',
    what: `This is not a feature transform of version ${transformVersion}, which this version of cascade reads.`,
    mend: 'Use the version of cascade that wrote it, or run `cascade samples --force` to fit it anew.',
  });
}

function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeKeys(child),
    ]),
  );
}
