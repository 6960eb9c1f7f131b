/**
 * What moves the trained codes of TARQ between steps, beside the gradients: moving averages of the latents that choose them
 * (`codebook.updates`), and restarts of dead codes (`codebook.dead_codes`). All draws depend on the step alone and all state is among
 * the model's parameters, so that a training that was cut off goes on as if it had not been.
 */
import type { CodebookConfig } from '../config/config.js';
import { restartDeadCodes } from '../codebooks/deadCodes.js';
import { within } from '../codebooks/product.js';
import { moveCodes } from '../codebooks/movingAverage.js';
import type { TrainedModel } from '../engine/gradients.js';
import type { RandomStream } from '../engine/random.js';
import { codebookName, usageName, type ItemCodes } from '../models/itemCodes.js';
import { codebooksOf, drawItems, upToDate } from './codeFitting.js';
import type { ItemEncoder } from './itemEncoding.js';

export interface UpkeepParts {
  readonly codebook: CodebookConfig;
  readonly coder: ItemCodes;
  readonly encoder: ItemEncoder;
  /** Items that training has shown. */
  readonly items: readonly number[];
  /** A stream of draws by name. */
  readonly random: (name: string) => RandomStream;
}

/** Steps between calls of `keepCodes`; 0 = none are needed. */
export function upkeepEvery({ updates, deadCodes }: CodebookConfig): number {
  if (updates.kind === 'ema') return 1;
  return deadCodes.restartBelow > 0 ? deadCodes.restartEvery : 0;
}

/** Moves and restarts what is due after `step`; `seen`: the items of the step, or some are drawn. Returns the restarted codes. */
export async function keepCodes(
  parts: UpkeepParts,
  model: TrainedModel,
  step: number,
  seen?: readonly number[],
): Promise<{ readonly restarts: number }> {
  const { updates, deadCodes, itemsPerStep } = parts.codebook;
  if (updates.kind === 'ema') {
    const items = seen ?? drawItems(parts.items, itemsPerStep, parts.random(`items after step ${step}`));
    await averageCodes(parts, model, step, items, updates.decay);
  }
  if (deadCodes.restartBelow === 0 || step % deadCodes.restartEvery !== 0) return { restarts: 0 };
  return { restarts: await restartCodes(parts, model, step) };
}

async function averageCodes(
  { coder, encoder }: UpkeepParts,
  model: TrainedModel,
  step: number,
  items: readonly number[],
  decay: number,
): Promise<void> {
  const { levels, width } = coder;
  const { latents: residuals, codes } = await encoder.encode(items, upToDate(model, step));
  codebooksOf(model.state, coder).forEach((codebook, level) => {
    const chosen = Int32Array.from(items, (_, item) => codes[item * levels + level]!);
    const before = codebook.slice();
    const own = within(coder.parts?.[level], residuals);
    moveCodes(codebook, usageOf(model, coder, level), own, chosen, decay);
    // Codes of the next level average what the codes left when they were chosen.
    residuals.forEach((_, i) => {
      residuals[i]! -= before[chosen[Math.floor(i / width)]! * width + (i % width)]!;
    });
  });
}

/** A restarted code starts without the optimiser's memory of the old one, and with an even share of use. */
async function restartCodes(
  { codebook, coder, encoder, items, random }: UpkeepParts,
  model: TrainedModel,
  step: number,
): Promise<number> {
  const { state, slots, slotStarts } = model;
  const stream = random(`restart after step ${step}`);
  const sample = drawItems(items, Math.max(restartSample, 4 * coder.codes), stream);
  const { latents } = await encoder.encode(sample, upToDate(model, step));
  const books = codebooksOf(state, coder);
  const { restartBelow } = codebook.deadCodes;
  const restarted = restartDeadCodes(latents, coder.width, books, restartBelow, stream, coder);
  restarted.forEach((codes, level) => {
    const name = `${coder.part}/${codebookName(level)}`;
    const averaged = codebook.updates.kind === 'ema' ? usageOf(model, coder, level) : null;
    const even = averaged && averaged.reduce((sum, count) => sum + count, 0) / coder.codes;
    for (const code of codes) {
      slots.forEach((slot, i) => {
        state.layout.view(slot, name).fill(slotStarts[i]!, code * coder.width, (code + 1) * coder.width);
      });
      if (averaged) averaged[code] = even!;
    }
  });
  return restarted.reduce((sum, codes) => sum + codes.length, 0);
}

/** Items that shares are counted on, at least where there are as many. */
const restartSample = 8192;

/** N of a level's codes: a view on the state. */
const usageOf = ({ state }: TrainedModel, { part }: ItemCodes, level: number): Float32Array =>
  state.layout.view(state.vector, `${part}/${usageName(level)}`);
