import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { dyingAt, fitContext, studentPlan } from '../../test/support/studentTraining.js';
import { studentConfig, testConfig } from '../../test/support/trainingConfig.js';
import { testData } from '../../test/support/encoded.js';
import { blockOf, cpu, stateOf, valuesOf } from '../../test/support/models.js';
import { lossWeights } from '../config/lossWeights.js';
import type { EncodedData } from '../data/encodedData.js';
import { RandomStream } from '../engine/random.js';
import type { ModelState } from '../engine/state.js';
import { preRanker, studentCodes } from '../models/registry.js';
import { plainProgress, type Progress } from '../run/progress.js';
import { fit } from './fit.js';
import type { FitPlan, FitResult } from './fitPlan.js';
import { keepCodes } from './codeUpkeep.js';
import { distinctItems, refitCodes, trainingItems } from './codeFitting.js';
import { ItemEncoder } from './itemEncoding.js';
import { preRankerLoss, preRankerScores, roles, vectorLossShare } from './objectives.js';

let data: EncodedData;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData({ requests: 90 });
});

const plan = (epochs: number, patience?: number) => studentPlan(data, epochs, patience);
const context = (folder: string, progress?: Progress) => fitContext(data, folder, progress);
const newFolder = () => mkdtempSync(join(tmpdir(), 'cascade-fit-'));

const bytesOf = ({ best, epochs, log, steps, position }: FitResult) => ({
  vector: best[roles.model]!.vector,
  table: valuesOf(best[roles.model]!.table),
  epochs,
  log,
  steps,
  position,
});

describe('training', () => {
  it('weighs alignment and reconstruction by their schedule, and logs them unweighted', async () => {
    const only = (scalars?: FitPlan['scalars']): FitPlan => ({
      ...plan(0.5),
      loss: (models, batch) => {
        const { reconstruction_a: term } = plan(0.5).loss(models, batch);
        return { term: term! };
      },
      ...(scalars && { scalars }),
    });
    const losses = lossWeights(
      testConfig({ distill: { losses: { vector_schedule: { kind: 'linear', final_share: 0 } } } }).distill,
    );
    const fallen = await fit(only(vectorLossShare(losses).scalars), context(newFolder()));
    const whole = await fit(only(), context(newFolder()));
    const shares = fallen.log.loss!.map((loss, i) => loss / fallen.log.term![i]!);
    shares.forEach((share, i) => {
      expect(share).toBeCloseTo(1 - (i + 1) / fallen.steps, 5);
    });
    expect(whole.log.loss![0]).toBeCloseTo(fallen.log.term![0]!, 6);
    expect(vectorLossShare(lossWeights(testConfig().distill))).toEqual({});
  });

  it('ends with the same bytes after being cut off at any step and going on, as if it had never stopped', async () => {
    const whole = bytesOf(await fit(plan(2.6), context(newFolder())));
    expect(whole.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 2.6]);
    const folder = newFolder();
    for (const step of [1, 4, 9, 10, 17, 23]) {
      await expect(fit(plan(2.6), context(folder, dyingAt(step)))).rejects.toThrow('killed');
    }
    expect(bytesOf(await fit(plan(2.6), context(folder)))).toEqual(whole);
    // Finished: asked again, it takes no step and gives the same.
    expect(bytesOf(await fit(plan(2.6), context(folder, dyingAt(1))))).toEqual(whole);
  });

  it('does so with codes that are refitted between steps', async () => {
    const refitted = (): FitPlan => {
      const own = studentConfig('tangent');
      const frame = { layout: data.layout, baseLogit: -0.5 };
      const { model, needs } = preRanker('student_tangent', own, frame);
      const coder = studentCodes(own, frame);
      const encoder = new ItemEncoder(data, coder, cpu);
      const sample = distinctItems(data, trainingItems(data));
      return {
        name: 'student',
        trained: { [roles.model]: stateOf(data, model.initial(RandomStream.of(1, 'initial'))) },
        loss: preRankerLoss({ model, layout: data.layout, losses: lossWeights(own.distill), usesB: false }),
        needs,
        primary: { shape: blockOf(data, 'a', 8), split: 'train' },
        epochs: 2,
        between: {
          everySteps: 3,
          atEpochEnds: true,
          counts: [],
          run: async (models, step) => {
            await refitCodes(models[roles.model]!, step, coder, encoder, sample, 2);
            return {};
          },
        },
        validation: {
          score: preRankerScores(model, data.layout, 'a'),
          shape: blockOf(data, 'a', 8),
          patience: 5,
        },
      };
    };
    const first = refitted();
    const codesOf = (state: ModelState) => state.layout.view(state.vector, 'attention/codes/0').slice();
    const start = codesOf(first.trained[roles.model]!);
    const result = await fit(first, context(newFolder()));
    const whole = bytesOf(result);
    expect(codesOf(result.best[roles.model]!)).not.toEqual(start);
    const folder = newFolder();
    for (const step of [2, 3, 4, 8, 10, 11]) {
      await expect(fit(refitted(), context(folder, dyingAt(step)))).rejects.toThrow('killed');
    }
    expect(bytesOf(await fit(refitted(), context(folder)))).toEqual(whole);
  });

  it('does so with codes that are moving averages and are restarted when they are dead', async () => {
    const own = testConfig({
      codebook: {
        updates: { kind: 'ema', decay: 0.9 },
        dead_codes: { restart_below: 0.9, restart_every: 4 },
        items_per_step: 16,
      },
    });
    const kept = (): FitPlan => {
      const frame = { layout: data.layout, baseLogit: -0.5 };
      const { model, needs } = preRanker('student_tarq', own, frame);
      const coder = studentCodes(own, frame);
      const parts = {
        codebook: own.codebook,
        coder,
        encoder: new ItemEncoder(data, coder, cpu),
        items: trainingItems(data),
        random: (name: string) => RandomStream.of(4, name),
      };
      return {
        name: 'student',
        trained: { [roles.model]: stateOf(data, model.initial(RandomStream.of(1, 'initial'))) },
        loss: preRankerLoss({ model, layout: data.layout, losses: lossWeights(own.distill), usesB: false }),
        needs,
        primary: { shape: blockOf(data, 'a', 8), split: 'train' },
        epochs: 2,
        between: {
          everySteps: 1,
          atEpochEnds: false,
          counts: ['restarts'],
          run: (models, step) => keepCodes(parts, models[roles.model]!, step),
        },
      };
    };
    const whole = bytesOf(await fit(kept(), context(newFolder())));
    expect(whole.log.restarts).toHaveLength(whole.steps);
    expect(Math.max(...whole.log.restarts!)).toBeGreaterThan(0);
    const folder = newFolder();
    for (const step of [2, 4, 5, 9]) {
      await expect(fit(kept(), context(folder, dyingAt(step)))).rejects.toThrow('killed');
    }
    expect(bytesOf(await fit(kept(), context(folder)))).toEqual(whole);
  });

  it('visits every request once an epoch, in another order each time', async () => {
    const { log, steps } = await fit({ ...plan(2), epochsBefore: 0 }, context(newFolder()));
    const perEpoch = Math.ceil(data.requests('a', 'train') / 8);
    expect(steps).toBe(2 * perEpoch);
    expect(log.click_a).toHaveLength(steps);
    const terms = Object.keys(log)
      .filter((name) => /_[ab]$|^tutor$/.test(name) && !name.includes('/'))
      .toSorted();
    expect(terms).toHaveLength(9);
    log.loss!.forEach((loss, i) => {
      const share = (term: string) => log[`loss_share/${term}`]![i]!;
      expect(terms.reduce((sum, term) => sum + share(term), 0)).toBeCloseTo(1, 5);
      expect(share('click_a')).toBeCloseTo(log.click_a![i]! / loss, 5); // weight 1
      expect(share('tutor')).toBeCloseTo((0.5 * log.tutor![i]!) / loss, 5); // weight .5
    });
    expect(Object.keys(log).toSorted()).toEqual([
      'alignment_a',
      'alignment_b',
      'autoencoder_a',
      'autoencoder_b',
      'click_a',
      'click_b',
      'gradient_norm',
      'learning_rate',
      'loss',
      ...terms.map((term) => `loss_share/${term}`),
      'reconstruction_a',
      'reconstruction_b',
      'tutor',
    ]);
  });

  it('tells where its time went: parts that do not overlap', async () => {
    const { time } = await fit(plan(1), context(newFolder()));
    const { wallMs, betweenMs, ...parts } = time;
    expect(Math.min(...Object.values(parts))).toBeGreaterThan(0);
    expect(betweenMs).toBe(0);
    const sum = Object.values(parts).reduce((all, part) => all + part);
    expect(sum).toBeLessThan(wallMs);
  });

  it('has the batches of a validation begun before its epoch ends', async () => {
    const { batches, ...rest } = context(newFolder());
    const seen: string[] = [];
    await fit(plan(2), {
      ...rest,
      batches: {
        ...batches,
        async *training(order) {
          for await (const made of batches.training(order)) {
            if (!made.batch) seen.push('end');
            yield made;
          }
        },
        scoring(order) {
          seen.push('begun');
          return batches.scoring(order);
        },
      },
    });
    expect(seen).toEqual(['begun', 'end', 'begun', 'end']);
  });

  it('keeps the best epoch and stops when it is out of patience', async () => {
    const { epochs, bestEpoch } = await fit(plan(12, 1), context(newFolder()));
    const aucs = epochs.map(({ validationAuc }) => validationAuc!);
    expect(bestEpoch!.validationAuc).toBe(Math.max(...aucs));
    expect(epochs.length).toBeLessThan(12);
    expect(epochs.indexOf(bestEpoch!)).toBe(epochs.length - 2);
  });

  it('notices a flipped byte in a checkpoint, says so and starts the model anew', async () => {
    const whole = bytesOf(await fit(plan(1), context(newFolder())));
    const folder = newFolder();
    await expect(fit(plan(1), context(folder, dyingAt(5)))).rejects.toThrow('killed');
    const weights = readdirSync(join(folder, 'student')).find((name) => name.endsWith('.safetensors'))!;
    const path = join(folder, 'student', weights);
    const bytes = readFileSync(path);
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(path, bytes);
    const lines: string[] = [];
    const result = await fit(
      plan(1),
      context(
        folder,
        plainProgress((line) => lines.push(line)),
      ),
    );
    expect(lines[0]).toContain('was changed or damaged after it was written: this model starts anew');
    expect(bytesOf(result)).toEqual(whole);
  });

  it('lowers the click loss', async () => {
    const { log } = await fit({ ...plan(6), epochsBefore: 0 }, context(newFolder()));
    const click = log.click_a!;
    const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(click.slice(-12))).toBeLessThan(mean(click.slice(0, 12)) - 0.02);
  });
});
