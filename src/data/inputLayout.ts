/** The layout of a batch's inputs, derived from the fitted transform: what batches.ts fills and layers/inputs.ts embeds. */
import { internal } from '../errors.js';
import { firstValueRow, type FeatureSource, type FittedFeature, type Transform } from './features.js';

/** How a group of features is laid out: slots are embedding look-ups, numbers enter as they are. */
export interface FeatureGroup {
  /** Slots of each embedded feature, in order: 1, or more for a multi-valued one. */
  readonly slots: readonly number[];
  readonly numbers: number;
  /** Where each slot and number of the group stands in its source. */
  readonly slotPlaces: readonly Place[];
  readonly numberPlaces: readonly Place[];
}

interface Place {
  readonly source: FeatureSource;
  readonly offset: number;
}

export interface InputLayout {
  /** Width of an embedding. */
  readonly width: number;
  /** Rows of the embedding table. */
  readonly rows: number;
  readonly user: FeatureGroup;
  readonly context: FeatureGroup;
  readonly item: FeatureGroup;
  /** Positions among `item.slots` of the features that describe a behaviour too. */
  readonly shared: readonly number[];
  /** Of each of these: its slot among those of an item, and the first row that belongs to a known value. */
  readonly sharedFields: readonly { readonly slot: number; readonly firstKnownRow: number }[];
  /** Width of the vectors that items are coded by, where the user gave some; 0 = none. */
  readonly vectorWidth: number;
  /** Longest sequence. */
  readonly behaviours: number;
}

export function inputLayout(transform: Transform, width: number, vectorWidth = 0): InputLayout {
  const side = (name: FittedFeature['side']) => transform.features.filter((feature) => feature.side === name);
  const items = side('item');
  const embedded = items.filter((feature) => feature.slots > 0);
  const shared = transform.sequence.features.map((name) => {
    const at = embedded.findIndex((feature) => feature.name === name);
    return at >= 0 ? at : internal(`sequence feature ${name} is not an embedded item feature`);
  });
  return {
    width,
    rows: transform.rows,
    user: group(side('user')),
    context: group(side('context')),
    item: group(items),
    shared,
    sharedFields: shared.map((at) => {
      const feature = embedded[at]!;
      return { slot: feature.slot, firstKnownRow: feature.firstRow + firstValueRow(feature) };
    }),
    vectorWidth,
    behaviours: transform.sequence.maxLength,
  };
}

function group(features: readonly FittedFeature[]): FeatureGroup {
  const places = (count: (f: FittedFeature) => number, first: (f: FittedFeature) => number): Place[] =>
    features.flatMap((feature) =>
      Array.from({ length: count(feature) }, (_, i) => ({
        source: feature.source,
        offset: first(feature) + i,
      })),
    );
  const numberPlaces = places(
    (f) => f.numbers,
    (f) => f.number,
  );
  return {
    slots: features.filter((feature) => feature.slots > 0).map((feature) => feature.slots),
    numbers: numberPlaces.length,
    slotPlaces: places(
      (f) => f.slots,
      (f) => f.slot,
    ),
    numberPlaces,
  };
}
