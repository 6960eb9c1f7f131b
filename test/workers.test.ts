/** Two workers as processes of an MPI job, by the built program: what needs real processes. What they compute: train/fit.workers.test.ts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { relativeError } from '../src/engine/devices/deviceCheck.js';
import { readSafetensors } from '../src/engine/safetensors.js';
import { findMpi, requireMpi } from '../src/engine/workers/mpi.js';
import { bytesOf, newFolder, program, sets, smallChain } from './support/program.js';

const found = findMpi() !== null;
const config = [...smallChain, ...sets({ 'distill.rivals': '[]', threads: 1 })];
const two = [...config, ...sets({ 'training.workers': 2 })];
const train = (args: readonly string[], run: string, killAfterMs?: number) =>
  program(['train', ...args, '--run', run], killAfterMs);

describe.skipIf(!found)(
  `two workers${found ? '' : ' (not run: no MPI; scripts/install-mpi installs one)'}`,
  () => {
    const run = join(newFolder('workers'), 'two');

    beforeAll(async () => {
      const { code, err } = await train(two, run);
      expect(code, err).toBe(0);
      expect(err).toContain('distill: not run before');
    });

    it('train the models of one worker, but for rounding', async () => {
      const alone = join(newFolder('workers'), 'one');
      expect((await train(config, alone)).code).toBe(0);
      for (const model of ['teacher/teacher', 'distill/two_tower']) {
        const [expected, actual] = await Promise.all(
          [alone, run].map((folder) => readSafetensors(join(folder, `${model}.safetensors`))),
        );
        const [table, reference] = [actual!, expected!].map(
          ({ tensors }) => tensors.embeddings!.values as Float32Array,
        );
        const error = relativeError(table!, reference!);
        expect(error, model).toBeLessThan(1e-4);
        expect(error, model).toBeGreaterThan(0); // the very same bytes would mean that one did it all
      }
    });

    it('write the same bytes again, also killed and gone on with, and skip what has not changed', async () => {
      const killed = join(newFolder('workers'), 'killed');
      let cut = 0;
      let said = '';
      for (let afterMs = 6000; !existsSync(join(killed, 'eval/stage.json')); afterMs += 6000) {
        expect(afterMs, said).toBeLessThan(60_000);
        const { code, err } = await train(two, killed, afterMs);
        if (code === null) cut++;
        said = err;
      }
      expect(cut).toBeGreaterThan(0);
      expect(bytesOf(killed)).toEqual(bytesOf(run));
      const { err } = await train(two, killed);
      expect(err).toContain('distill: skipped, nothing changed');
    });

    it('leave the run folder in order when the command is told to end', async () => {
      const stopped = join(newFolder('workers'), 'stopped');
      const { code, err } = await program(['train', ...two, '--run', stopped], 4000, 'SIGTERM');
      expect(code, err).toBe(143);
      expect(err.trim()).toMatch(/Stopped by SIGTERM\. The same command goes on from here\.$/);
      expect(existsSync(join(stopped, '.lock'))).toBe(false);
    });

    it('end together, with the exit code of the first, when a gate says no', async () => {
      const gate = sets({ 'teacher.gate.min_within_request_share': 1 });
      const { code, err } = await train([...two, ...gate], join(newFolder('workers'), 'gate'));
      expect(code, err).toBe(3);
      expect(err.match(/gate\.teacher/g)).toHaveLength(1);
    });
  },
);

it('tells what to install where there is no MPI', () => {
  expect(() => requireMpi(findMpi('/nowhere', '/nowhere'))).toThrow(
    /no MPI with the standard binary interface/,
  );
});
