/**
 * Embedding rows under an optimiser. A step touches the rows of its batch: an update of each with its gradient, by the formula and the
 * step's number that dense parameters have. What the other rows do meanwhile is `training.untouched_rows`:
 *
 * - `rest`, lazy Adam: nothing. Weight, moments and all stay as the last step that touched the row left them; the moments do not
 *   decay, and the bias correction goes by the number of the step, not by the row's own. Where every step touches every row this is
 *   dense Adam.
 * - `drift`, what a dense optimiser does: it moves every row in every step, those without a gradient by their momentum; with Adam a
 *   row that is seen once moves ten times as far that way as in the step that saw it, so leaving it out trains rare users and
 *   items too little: .003 AUC on KuaiRand. Moving all rows would cost time in proportion to the vocabulary. So what a row has
 *   missed is made up for when it is next needed, from the number of steps it has missed: the dense optimiser's result at the cost
 *   of the touched rows.
 */
import { copyRow, type EmbeddingTable } from './embeddings.js';
import { NumberList } from './numberList.js';
import type { Drift, LearningRate, Optimizer, Place } from '../optim/optimizer.js';
import type { RowStore } from './rowStore.js';

/** Rows one after another. */
export interface RowArrays {
  readonly values: Float32Array; // [row · width]
  readonly slots: readonly Float32Array[]; // [row · width] per slot of the optimiser
  readonly since: Int32Array; // [row]
}

export class DriftingRows {
  /** A row that is moved without its place being changed. */
  private readonly aside: Place;
  /** Starts of the rows that are moved together: of all that have missed the same steps. */
  private readonly lists: NumberList[] = [];
  private remembering: { mark: number; effects: Effects } = { mark: 0, effects: new Map() };

  constructor(
    readonly store: RowStore,
    private readonly optimizer: Optimizer,
    private readonly learningRate: LearningRate,
  ) {
    const { width } = this;
    const slots = store.slots.map(() => new Float32Array(width));
    this.aside = { parameter: new Float32Array(width), slots, starts: Uint32Array.of(0), width };
  }

  get width(): number {
    return this.store.table.width;
  }

  /** Brings rows `ids[0..count)` to where they are after `step`. */
  bringUpTo(step: number, ids: Int32Array, count: number): void {
    const { store, width, optimizer } = this;
    if (!optimizer.drift) return;
    const effects: Effects = new Map();
    const late = new Map<Drift, NumberList>();
    for (let i = 0; i < count; i++) {
      const place = store.placeOf(ids[i]!);
      const effect = this.effect(place, step, effects);
      if (!effect) continue;
      this.remember(place);
      store.changed(place);
      store.since[place] = step;
      let starts = late.get(effect);
      if (!starts) late.set(effect, (starts = this.list(late.size)));
      starts.push(place * width);
      if (!store.placesStay) this.drift(late);
    }
    this.drift(late);
  }

  /** Moves the rows at these starts as each has missed, and forgets them. */
  private drift(late: Map<Drift, NumberList>): void {
    for (const [effect, starts] of late) this.optimizer.drift!.inPlace(this.placeAt(starts), effect);
    late.clear();
  }

  /** An empty list; its arrays are kept, which would be half of a short step's garbage. */
  private list(number: number): NumberList {
    const list = (this.lists[number] ??= new NumberList());
    list.clear();
    return list;
  }

  private placeAt(starts: NumberList): Place {
    const { store, width } = this;
    return { parameter: store.values, slots: store.slots, starts: starts.values, width };
  }

  /** Moves rows `ids[0..count)` by the gradients of `step`, [row · width] times `factor`. Ids are distinct. */
  update(
    step: number,
    ids: Int32Array,
    count: number,
    { values, factor }: { readonly values: Float32Array; readonly factor: number },
    scalars: Readonly<Record<string, number>>,
  ): void {
    const { store, optimizer, width } = this;
    const starts = this.list(0);
    for (let i = 0; i < count; i++) {
      const place = this.change(ids[i]!);
      starts.push(place * width);
      store.since[place] = step;
      if (store.placesStay && i < count - 1) continue;
      const from = (i + 1 - starts.length) * width;
      optimizer.updateInPlace(this.placeAt(starts), { values, from, factor }, scalars);
      starts.clear();
    }
  }

  /** Copies rows as they lie, one after another, with their slots and the step after which they hold. */
  read(ids: Int32Array, into: RowArrays): void {
    const { store, width } = this;
    ids.forEach((id, i) => {
      const place = store.placeOf(id);
      copyRow(store.values, place * width, into.values, i * width, width);
      store.slots.forEach((slot, s) => {
        copyRow(slot, place * width, into.slots[s]!, i * width, width);
      });
      into.since[i] = store.since[place]!;
    });
  }

  /** Puts rows in the places of these ids, which are distinct. */
  write(ids: Int32Array, from: RowArrays): void {
    const { store, width } = this;
    ids.forEach((id, i) => {
      const place = this.change(id);
      copyRow(from.values, i * width, store.values, place * width, width);
      store.slots.forEach((slot, s) => {
        copyRow(from.slots[s]!, i * width, slot, place * width, width);
      });
      store.since[place] = from.since[i]!;
    });
  }

  /** The table with every row as it is after `step`, which is the present one; the rows themselves are left as they are. */
  settled(step: number): EmbeddingTable {
    const effects: Effects = new Map();
    return this.store.view((place, into, at) => {
      this.settle(place, step, into, at, effects);
    });
  }

  /** The table `settled` after `step`, the present one, as one that stays while steps go on. */
  keep(step: number, settled: EmbeddingTable): EmbeddingTable {
    const { kept } = this.store;
    if (!kept) return settled;
    kept.present++;
    kept.step = step;
    return this.remembered();
  }

  /** The table that was kept last, where the store keeps rows. */
  remembered(): EmbeddingTable {
    const { store, width } = this;
    const effects: Effects = new Map();
    return store.view((place, into, at) => {
      const { present, mark, values, step } = store.kept!;
      if (present > 0 && mark[place] === present) copyRow(values, place * width, into, at, width);
      else this.settle(place, step, into, at, effects);
    });
  }

  /** The place of a row that is about to be changed, what it was being remembered where that is asked for. */
  private change(row: number): number {
    const { store } = this;
    const place = store.placeOf(row);
    this.remember(place);
    store.changed(place);
    return place;
  }

  private remember(place: number): void {
    const { kept } = this.store;
    if (!kept || kept.mark[place] === kept.present) return;
    if (this.remembering.mark !== kept.present) this.remembering = { mark: kept.present, effects: new Map() };
    this.settle(place, kept.step, kept.values, place * this.width, this.remembering.effects);
    kept.mark[place] = kept.present;
  }

  /** The weights at a place as they are after `step`, to `into` from `at`. */
  private settle(place: number, step: number, into: Float32Array, at: number, effects: Effects): void {
    const { store, width, aside } = this;
    const effect = this.effect(place, step, effects);
    if (!effect) {
      copyRow(store.values, place * width, into, at, width);
      return;
    }
    copyRow(store.values, place * width, aside.parameter, 0, width);
    store.slots.forEach((slot, i) => copyRow(slot, place * width, aside.slots[i]!, 0, width));
    this.optimizer.drift!.inPlace(aside, effect);
    copyRow(aside.parameter, 0, into, at, width);
  }

  private effect(place: number, step: number, effects: Effects): Drift | null {
    const from = this.store.since[place]!;
    const { drift } = this.optimizer;
    // A row that no step has touched has no momentum; weight decay alone is left out, as everywhere in the field.
    if (!drift || from === 0 || from >= step) return null;
    let effect = effects.get(from);
    if (!effect) {
      effect = drift.over(from, step, this.learningRate);
      effects.set(from, effect);
    }
    return effect;
  }
}

/** What a row misses up to one step, by the step after which its numbers hold. */
type Effects = Map<number, Drift>;
