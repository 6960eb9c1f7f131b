/** What rows have missed, as a step's graph is fed it (recordedRows.ts). */
import type { Drift, LearningRate, Optimizer } from '../optim/optimizer.js';

/**
 * Of each of these rows what it has missed up to `step`, [row, 2 + slots]: kept, moved, what is kept of each slot. `since`: the step
 * after which each row holds, 0 or nothing where none has touched it.
 */
export function missedBy(
  { drift, slots }: Optimizer,
  learningRate: LearningRate,
  ids: Int32Array,
  since: Int32Array,
  step: number,
): Float32Array {
  const width = 2 + slots.length;
  const missed = new Float32Array(ids.length * width);
  const effects = new Map<number, Drift>();
  for (let i = 0; i < ids.length; i++) {
    const from = since[ids[i]!] ?? 0; // the row for padding misses nothing
    if (!drift || from === 0 || from >= step) {
      missed.fill(1, i * width, (i + 1) * width);
      missed[i * width + 1] = 0;
      continue;
    }
    let effect = effects.get(from);
    if (!effect) {
      effect = drift.over(from, step, learningRate);
      effects.set(from, effect);
    }
    missed[i * width] = effect.kept;
    missed[i * width + 1] = effect.moved;
    missed.set(effect.slotsKept, i * width + 2);
  }
  return missed;
}
