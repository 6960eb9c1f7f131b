import { createHash } from 'node:crypto';
import { internal } from '../../errors.js';
import { MemoryTable } from '../tables/embeddings.js';
import type { ModelState } from '../state.js';
import type { Workers } from './workers.js';

/** Workers that make the same updates have the same weights: what follows would be wrong if they had not. */
export async function expectAgreement(
  workers: Workers,
  states: Readonly<Record<string, ModelState>>,
): Promise<void> {
  if (workers.size === 1) return;
  const hash = createHash('sha256');
  for (const { vector, table } of Object.values(states)) {
    hash
      .update(vector)
      .update(table instanceof MemoryTable ? table.values : internal('a table in a file is shared'));
  }
  const own = new Int32Array(Uint8Array.from(hash.digest()).buffer);
  const all = await workers.gather(own);
  if (all.some((other) => other.some((word, i) => word !== own[i])))
    internal('workers have different weights');
}
