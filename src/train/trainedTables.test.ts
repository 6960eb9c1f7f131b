import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tf } from '../engine/tf.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { testData } from '../../test/support/encoded.js';
import { blockOf, stateOf, valuesOf } from '../../test/support/models.js';
import { fitContext } from '../../test/support/studentTraining.js';
import { testConfig } from '../../test/support/trainingConfig.js';
import type { TrainingConfig } from '../config/config.js';
import { lossWeights } from '../config/lossWeights.js';
import type { EncodedData } from '../data/encodedData.js';
import { isSparse, MemoryTable, type EmbeddingTable } from '../engine/tables/embeddings.js';
import { readModel, writeModel } from '../engine/modelFile.js';
import { RandomStream } from '../engine/random.js';
import { SeededTable } from '../engine/tables/seededTable.js';
import { preRanker } from '../models/registry.js';
import { silentProgress, type Progress } from '../run/progress.js';
import { fit } from './fit.js';
import type { FitPlan, FitResult } from './fitPlan.js';
import { preRankerLoss, preRankerScores, roles } from './objectives.js';

let data: EncodedData;
let seeded: SeededTable;

beforeAll(async () => {
  await tf.setBackend('cpu');
  data = testData({ requests: 90 });
  const { rows, width } = data.layout;
  seeded = new SeededTable({ rows, width, deviation: 0.5, key: [17, -4] });
});

const newFolder = () => mkdtempSync(join(tmpdir(), 'cascade-tables-'));
const inMemory = () => MemoryTable.from(seeded.rows, seeded.width, valuesOf(seeded));

/** So small a cache that most rows of a batch have to be written and read again: 16 places. */
const tinyFile = { kind: 'file', cacheMegabytes: 0.0001 } as const;
const memory = { kind: 'memory', deviceMegabytes: 0 } as const;

/** A two-tower above a table. */
function plan(table: EmbeddingTable, epochs: number, patience = 5): FitPlan {
  const { layout } = data;
  const config = testConfig();
  const { model, needs } = preRanker('two_tower', config, { layout, baseLogit: -0.5 });
  const state = stateOf(data, model.initial(RandomStream.of(1, 'initial')));
  const shape = blockOf(data, 'a', 8);
  return {
    name: 'two_tower',
    trained: { [roles.model]: { ...state, table } },
    loss: preRankerLoss({ model, layout, losses: lossWeights(config.distill), usesB: false }),
    needs,
    primary: { shape, split: 'train' },
    epochs,
    validation: { score: preRankerScores(model, layout, 'a'), shape, patience },
  };
}

function context(
  folder: string,
  embeddings: TrainingConfig['embeddings'],
  changes: Partial<TrainingConfig> = {},
  progress: Progress = silentProgress,
) {
  const own = fitContext(data, folder, progress);
  return { ...own, training: { ...own.training, ...changes, embeddings } };
}

const dyingAt = (step: number): Progress => ({
  ...silentProgress,
  begin: () => ({
    update(done) {
      if (done === step) throw new Error('killed');
    },
    end: () => undefined,
  }),
});

const bytesOf = ({ best, epochs, log, steps, position }: FitResult) => ({
  epochs,
  log,
  steps,
  position,
  vector: best[roles.model]!.vector,
  table: valuesOf(best[roles.model]!.table),
});

const optimizers = {
  adam: { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  adamw: { kind: 'adamw', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 },
  adagrad: { kind: 'adagrad', learningRate: 0.05, initialAccumulator: 0.1, epsilon: 1e-10 },
  momentum: { kind: 'sgd', learningRate: 0.01, momentum: 0.9 },
  sgd: { kind: 'sgd', learningRate: 0.05, momentum: 0 },
} as const;

describe('a table in a file', () => {
  it.each([
    ['adam', 'drift'],
    ['adam', 'rest'],
    ['adamw', 'drift'],
    ['adagrad', 'drift'],
    ['momentum', 'drift'],
    ['sgd', 'rest'],
  ] as const)(
    'trains to the same bytes as one in memory: %s, untouched rows %s',
    async (name, untouchedRows) => {
      const changes = { optimizer: optimizers[name], untouchedRows };
      const expected = await fit(plan(inMemory(), 2.6), context(newFolder(), memory, changes));
      const folder = newFolder();
      const actual = await fit(plan(seeded, 2.6), context(folder, tinyFile, changes));
      expect(bytesOf(actual)).toEqual(bytesOf(expected));
      expect(readdirSync(join(folder, 'two_tower'))).toContain('model.rows');
      expect(valuesOf(actual.best[roles.model]!.table)).not.toEqual(valuesOf(seeded));
    },
  );

  it('keeps the best epoch while later ones change its rows', async () => {
    const expected = await fit(plan(inMemory(), 12, 2), context(newFolder(), memory));
    const { bestEpoch, epochs } = expected;
    expect(epochs.length - epochs.indexOf(bestEpoch!)).toBe(3);
    const actual = await fit(plan(seeded, 12, 2), context(newFolder(), tinyFile));
    expect(bytesOf(actual)).toEqual(bytesOf(expected));
  });

  it.each(['drift', 'rest'] as const)(
    'ends with the same bytes after being cut off at any step and going on: untouched rows %s',
    async (untouchedRows) => {
      for (const seconds of [0.0001, 1000]) {
        const changes = { untouchedRows, checkpointEverySeconds: seconds };
        const whole = bytesOf(await fit(plan(seeded, 3.6), context(newFolder(), tinyFile, changes)));
        const folder = newFolder();
        for (const step of [1, 9, 14, 14, 18, 27, 31]) {
          const killed = fit(plan(seeded, 3.6), context(folder, tinyFile, changes, dyingAt(step)));
          await expect(killed).rejects.toThrow('killed');
        }
        expect(bytesOf(await fit(plan(seeded, 3.6), context(folder, tinyFile, changes)))).toEqual(whole);
        const again = await fit(plan(seeded, 3.6), context(folder, tinyFile, changes, dyingAt(1)));
        expect(bytesOf(again)).toEqual(whole);
      }
    },
  );

  it('goes on from a model whose file holds the rows that training changed, and no others', async () => {
    const first = await fit(plan(seeded, 1), context(newFolder(), tinyFile));
    const path = join(newFolder(), 'model.safetensors');
    await writeModel(path, first.best[roles.model]!);
    const stored = await readModel(path, (file) => file);
    const { table } = stored;
    if (!isSparse(table)) throw new Error('a sparse table was stored');
    expect(stored.vector).toEqual(first.best[roles.model]!.vector);
    expect(valuesOf(table)).toEqual(bytesOf(first).table);
    const kept = [...table.keptRows()].flatMap((ids) => [...ids]);
    const { width } = seeded;
    const [before, after] = [valuesOf(seeded), valuesOf(table)];
    const differ = Array.from({ length: seeded.rows }, (_, row) => row).filter((row) =>
      after.subarray(row * width, (row + 1) * width).some((value, i) => value !== before[row * width + i]),
    );
    expect(kept).toEqual(differ);
    expect(kept.length).toBeLessThan(seeded.rows);

    const copy = MemoryTable.from(table.rows, table.width, valuesOf(table));
    const expected = await fit(plan(copy, 1), context(newFolder(), memory));
    const second = await fit(plan(table, 1), context(newFolder(), tinyFile));
    expect(bytesOf(second)).toEqual(bytesOf(expected));
    await writeModel(path, second.best[roles.model]!);
    expect(valuesOf((await readModel(path, (file) => file)).table)).toEqual(bytesOf(second).table);
  });

  it('notices a flipped byte in the file, and that it was cut off, and says what to do', async () => {
    const flipped = newFolder();
    await expect(fit(plan(seeded, 2), context(flipped, tinyFile, {}, dyingAt(12)))).rejects.toThrow('killed');
    const path = join(flipped, 'two_tower', 'model.rows');
    const bytes = readFileSync(path);
    for (let at = 60; at < bytes.length; at += 4 * (3 + 2 + 4 * 6)) bytes[at]! ^= 1; // every record: some are undone
    writeFileSync(path, bytes);
    await expect(fit(plan(seeded, 2), context(flipped, tinyFile))).rejects.toMatchObject({
      problems: [
        { code: 'run.damaged_embeddings', where: path, mend: expect.stringContaining('--force') as string },
      ],
    });
    truncateSync(path, 900);
    await expect(fit(plan(seeded, 2), context(flipped, tinyFile))).rejects.toMatchObject({
      problems: [{ code: 'run.damaged_embeddings' }],
    });
  });

  it.skipIf(!existsSync('/dev/full'))('says that the disk is full, once, and where', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'two_tower'));
    symlinkSync('/dev/full', join(folder, 'two_tower', 'model.rows.index'));
    await expect(fit(plan(seeded, 1), context(folder, tinyFile))).rejects.toMatchObject({
      problems: [{ code: 'disk.full', where: join(folder, 'two_tower') }],
    });
  });

  it('closes its files when it is told to', async () => {
    const files: { close(): void }[] = [];
    const own = context(newFolder(), tinyFile);
    const { best } = await fit(plan(seeded, 1), { ...own, closeLater: (file) => files.push(file) });
    const free = openSync('/dev/null', 'r');
    closeSync(free);
    for (const file of files) file.close();
    const next = openSync('/dev/null', 'r');
    closeSync(next);
    expect(files).toHaveLength(1);
    expect(next).toBeLessThan(free);
    expect(() => valuesOf(best[roles.model]!.table)).toThrow('EBADF');
  });
});
