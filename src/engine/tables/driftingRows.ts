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
import { arraysForLoops } from '../loopMemory.js';
import { copyRow, type EmbeddingTable } from './embeddings.js';
import { MissedSteps } from './missed.js';
import { NumberList } from './numberList.js';
import type { LearningRate, Optimizer, Place } from '../optim/optimizer.js';
import type { RowStore } from './rowStore.js';

/** Rows one after another. */
export interface RowArrays {
  readonly values: Float32Array; // [row · width]
  readonly slots: readonly Float32Array[]; // [row · width] per slot of the optimiser
  readonly since: Int32Array; // [row]
}

/** Rows that are looked at together as they are after a step. */
const rowsAside = 256;

export class DriftingRows {
  /** Starts of the rows that are moved together. */
  private readonly starts = new NumberList();
  /** What each of them has missed. */
  private missed = new Float32Array(0);
  private readonly present: MissedSteps;
  private readonly remembering: MissedSteps;
  /** Rows that are moved without their places being changed, which of them, and what each has missed. */
  private readonly aside: Omit<Place, 'starts'> & {
    readonly late: NumberList;
    readonly missed: Float32Array;
  };

  constructor(
    readonly store: RowStore,
    private readonly optimizer: Optimizer,
    learningRate: LearningRate,
  ) {
    const { width } = this;
    this.present = new MissedSteps(optimizer, learningRate);
    this.remembering = new MissedSteps(optimizer, learningRate);
    const [parameter, ...slots] = arraysForLoops([0, ...store.slots].map(() => rowsAside * width));
    const missed = new Float32Array(rowsAside * this.present.width);
    this.aside = { parameter: parameter!, slots, width, late: new NumberList(), missed };
  }

  get width(): number {
    return this.store.table.width;
  }

  /** Brings rows `ids[0..count)` to where they are after `step`. */
  bringUpTo(step: number, ids: Int32Array, count: number): void {
    const { store, width, starts } = this;
    if (!this.optimizer.drift) return;
    const steps = this.present.upTo(step);
    const missed = this.missedOf(count);
    for (let i = 0; i < count; i++) {
      const place = store.placeOf(ids[i]!);
      const since = store.since[place]!;
      if (!steps.isLate(since)) continue;
      this.remember(place);
      store.changed(place);
      store.since[place] = step;
      steps.write(since, missed, starts.length * steps.width);
      starts.push(place * width);
      if (!store.placesStay) this.drift(store, missed);
    }
    this.drift(store, missed);
  }

  /** Moves the rows of `starts` as each has missed, and forgets them. */
  private drift({ values, slots }: Pick<RowStore, 'values' | 'slots'>, missed: Float32Array): void {
    const { starts, width } = this;
    if (starts.length === 0) return;
    this.optimizer.drift!.inPlace({ parameter: values, slots, starts: starts.values, width }, missed);
    starts.clear();
  }

  /** An array for what so many rows have missed, which is kept from step to step. */
  private missedOf(rows: number): Float32Array {
    const length = rows * this.present.width;
    if (this.missed.length < length) this.missed = new Float32Array(Math.ceil(1.25 * length));
    return this.missed;
  }

  /** Moves rows `ids[0..count)` by the gradients of `step`, [row · width] times `factor`. Ids are distinct. */
  update(
    step: number,
    ids: Int32Array,
    count: number,
    { values, factor }: { readonly values: Float32Array; readonly factor: number },
    scalars: Readonly<Record<string, number>>,
  ): void {
    const { store, optimizer, width, starts } = this;
    for (let i = 0; i < count; i++) {
      const changed = this.change(ids[i]!);
      starts.push(changed * width);
      store.since[changed] = step;
      if (store.placesStay && i < count - 1) continue;
      const from = (i + 1 - starts.length) * width;
      const place = { parameter: store.values, slots: store.slots, starts: starts.values, width };
      optimizer.updateInPlace(place, { values, from, factor }, scalars);
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
    return this.store.view((places, into, at) => {
      this.settle(places, this.present.upTo(step), into, at);
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
    return store.view((places, into, at) => {
      const { present, mark, values, step } = store.kept!;
      this.settle(places, this.remembering.upTo(step), into, at);
      places.forEach((place, i) => {
        if (present > 0 && mark[place] === present)
          copyRow(values, place * width, into, at + i * width, width);
      });
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
    this.settle([place], this.remembering.upTo(kept.step), kept.values, place * this.width);
    kept.mark[place] = kept.present;
  }

  /** The weights at these places as they are after the steps that they have missed, one after another to `into` from `at`. */
  private settle(places: ArrayLike<number>, steps: MissedSteps, into: Float32Array, at: number): void {
    for (let first = 0; first < places.length; first += rowsAside) {
      const rows = Math.min(rowsAside, places.length - first);
      this.settleAside(places, first, rows, steps);
      const { parameter, width } = this.aside;
      into.set(parameter.subarray(0, rows * width), at + first * width);
    }
  }

  /** Copies rows from place `first` on and moves the copies. */
  private settleAside(places: ArrayLike<number>, first: number, rows: number, steps: MissedSteps): void {
    const { store, aside, width } = this;
    const { late, missed } = aside;
    late.clear();
    for (let row = 0; row < rows; row++) {
      const from = places[first + row]! * width;
      const to = row * width;
      copyRow(store.values, from, aside.parameter, to, width);
      const since = store.since[places[first + row]!]!;
      if (!steps.isLate(since)) continue;
      for (let i = 0; i < aside.slots.length; i++) copyRow(store.slots[i]!, from, aside.slots[i]!, to, width);
      steps.write(since, missed, late.length * steps.width);
      late.push(to);
    }
    if (late.length > 0) this.optimizer.drift!.inPlace({ ...aside, starts: late.values }, missed);
  }
}
