import { expect, it } from 'vitest';
import { configOf, temporaryFolder } from '../../test/support/canonicalLogs.js';
import { silentProgress } from './progress.js';
import { Stage } from './stage.js';

/** Megabytes that the SQL engine of a stage with these settings may take. */
async function sqlMegabytes(settings: Readonly<Record<string, unknown>>): Promise<number> {
  const stage = new Stage('logs', await temporaryFolder(), configOf(settings), silentProgress, new Map(), []);
  const [setting] = await stage.withDuckdb((db) =>
    db.rows(`SELECT current_setting('memory_limit') AS memory`),
  );
  return (parseFloat(String(setting?.memory)) * 2 ** 20) / 1e6; // it answers in MiB
}

it.each([
  [{ memory_limit: undefined, threads: 1 }, 128],
  [{ memory_limit: undefined, threads: 3 }, 256],
  [{ memory_limit: '700MB', threads: 3 }, 700],
])('with %j the SQL engine works in %i MB', async (settings, expected) => {
  expect(await sqlMegabytes(settings)).toBeCloseTo(expected, 0);
});
