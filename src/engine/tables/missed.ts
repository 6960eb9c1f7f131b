/** What rows have missed: the same numbers (optimizer.ts, Drift) for all rows that hold after the same step. */
import { Distinct } from '../distinct.js';
import type { LearningRate, Optimizer } from '../optim/optimizer.js';

/** Steps of which an instance knows at first what was missed since then. */
const firstSteps = 64;

export class MissedSteps {
  /** Numbers of a row: kept, moved, what is kept of each slot. */
  readonly width: number;
  private readonly drift: Optimizer['drift'];
  private step = 0;
  /** The steps after which rows hold that have been asked for; `numbers` has those of each. */
  private readonly known = new Distinct();
  private computed = 0;
  private numbers: Float32Array;

  constructor(
    { drift, slots }: Optimizer,
    private readonly learningRate: LearningRate,
  ) {
    this.drift = drift;
    this.width = 2 + slots.length;
    this.numbers = new Float32Array(firstSteps * this.width);
  }

  /** From now on what was missed up to `step`. */
  upTo(step: number): this {
    if (step === this.step) return this;
    this.step = step;
    this.known.clear();
    this.computed = 0;
    return this;
  }

  /**
   * Whether a row that holds after step `since` has missed anything. One that no step has touched has no momentum; weight decay alone is
   * left out, as everywhere in the field.
   */
  isLate(since: number): boolean {
    return this.drift !== undefined && since !== 0 && since < this.step;
  }

  /** Writes what a late row has missed that holds after step `since`. */
  write(since: number, into: Float32Array, at: number): void {
    const place = this.known.place(since);
    if (place === this.computed) this.compute(since);
    let from = place * this.width;
    for (const end = at + this.width; at < end; at++, from++) into[at] = this.numbers[from]!;
  }

  private compute(since: number): void {
    const at = this.computed++ * this.width;
    if (at === this.numbers.length) {
      const longer = new Float32Array(2 * at);
      longer.set(this.numbers);
      this.numbers = longer;
    }
    this.drift!.over(since, this.step, this.learningRate, this.numbers, at);
  }
}

/**
 * Of each of these rows what it has missed up to `step`, as a step's graph is fed it (recordedRows.ts), [row, 2 + slots]. `since`: the
 * step after which each row holds, 0 or nothing where none has touched it.
 */
export function missedBy(
  optimizer: Optimizer,
  learningRate: LearningRate,
  ids: Int32Array,
  since: Int32Array,
  step: number,
): Float32Array {
  const steps = new MissedSteps(optimizer, learningRate).upTo(step);
  const missed = new Float32Array(ids.length * steps.width).fill(1);
  ids.forEach((id, row) => {
    const from = since[id] ?? 0; // the row for padding misses nothing
    if (steps.isLate(from)) steps.write(from, missed, row * steps.width);
    else missed[row * steps.width + 1] = 0;
  });
  return missed;
}
