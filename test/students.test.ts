/** Every kind of student through the whole chain: trained, coded, scored by its three sides and judged. */
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { describe, expect, it } from 'vitest';
import { bytesOf, newFolder, program, sets, smallChain } from './support/program.js';

interface Evaluated {
  readonly metrics: readonly {
    readonly model: string;
    readonly set: string;
    readonly metric: string;
    readonly split: string;
    readonly slice: string;
    readonly value: number | null;
  }[];
}

const rowsOf = async (path: string) =>
  (await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })) as {
    name: string;
    value: number;
  }[];

describe.each([
  ['tangent', { 'distill.student.codes': 32 }],
  ['prefix', { 'distill.student.codes': 8, 'distill.student.levels': 2 }],
])('student %s', (kind, sizes) => {
  const args = (run: string) => [
    ...smallChain,
    ...sets({
      'distill.student.kind': kind,
      ...sizes,
    }),
    ...['--run', run],
  ];

  it('ends in a verdict, with metrics under its own name, and with the same bytes after a kill', async () => {
    const run = join(newFolder(), 'run');
    const trained = await program(['train', ...args(run)]);
    expect(trained.code, trained.err).toBe(0);
    const { metrics } = JSON.parse((await program(['eval', ...args(run), '--json'])).out) as Evaluated;
    const aucOf = (model: string) =>
      metrics.find(
        (row) =>
          row.model === model &&
          row.set === 'a' &&
          row.metric === 'auc' &&
          row.split === 'test' &&
          row.slice === 'all',
      )?.value;
    expect(aucOf('student')).toBeGreaterThan(0.5);
    expect(aucOf(`student_${kind}`)).toBe(aucOf('student'));

    const measures = await rowsOf(join(run, 'distill/measures/part-00000.parquet'));
    const error = measures.find(({ name }) => name === 'within_request_error')?.value;
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(2);

    const again = join(newFolder(), 'run');
    await program(['train', ...args(again)], 7000);
    const rest = await program(['train', ...args(again)]);
    expect(rest.code, rest.err).toBe(0);
    expect(bytesOf(again)).toEqual(bytesOf(run));
  });
});
