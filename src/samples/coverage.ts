/** How much of what set A looks up has no row of its own, per feature and split: what training never saw often enough. */
import { hasVocabulary, outOfVocabularyRow, type FittedFeature, type Transform } from '../data/features.js';
import type { Entities, Shard, Split } from '../data/shards.js';

export class Coverage {
  private readonly lookups = new Map<string, Record<Split, { all: number; unknown: number }>>();
  private readonly features: readonly FittedFeature[];

  constructor(
    private readonly transform: Transform,
    private readonly entities: { readonly users: Entities; readonly items: Entities },
  ) {
    this.features = transform.features.filter(({ kind }) => hasVocabulary(kind));
    const none = () => ({ all: 0, unknown: 0 });
    for (const { name } of this.features) {
      this.lookups.set(name, { train: none(), validation: none(), test: none() });
    }
  }

  add(split: Split, shard: Shard): void {
    for (const feature of this.features) {
      const counts = this.lookups.get(feature.name)![split];
      const { slots, rows } = this.slotsOf(feature, shard);
      const stride = this.transform.slots[feature.source];
      for (let i = 0; i < rows.length; i++) {
        const first = rows[i]! * stride + feature.slot;
        for (let slot = first; slot < first + feature.slots; slot++) {
          if (slots[slot]! < 0) continue; // unused
          counts.all++;
          if (slots[slot] === feature.firstRow + outOfVocabularyRow) counts.unknown++;
        }
      }
    }
  }

  /** Share of a feature's look-ups that are out of vocabulary. */
  share(feature: string, split: Split): number | null {
    const counts = this.lookups.get(feature)?.[split];
    return counts && counts.all > 0 ? counts.unknown / counts.all : null;
  }

  /** Where the feature's slots are, and which row of them each look-up takes. */
  private slotsOf({ source }: FittedFeature, shard: Shard): { slots: Int32Array; rows: Int32Array } {
    if (source === 'items') return { slots: this.entities.items.slots, rows: shard.items };
    if (source === 'users') return { slots: this.entities.users.slots, rows: shard.user };
    return { slots: shard.slots, rows: Int32Array.from({ length: shard.requests }, (_, i) => i) };
  }
}
