/** Opens the encoded samples of a run. Apart from encodedData.ts, so that a thread which is given them opened loads no more than it needs. */
import { dirname, join } from 'node:path';
import { EncodedData } from './encodedData.js';
import type { Transform } from './features.js';
import { inputLayout } from './inputLayout.js';
import type { ItemVectors } from './itemVectors.js';
import { readSequences } from './sequences.js';
import { readEntities, readIndex } from './shards.js';

/** `width`: of the embeddings. `vectors`: what the user codes items by, where that is not what is learned. */
export function openEncodedData(
  indexPath: string,
  transform: Transform,
  width: number,
  vectors: ItemVectors | null = null,
): EncodedData {
  const folder = dirname(indexPath);
  return new EncodedData({
    folder,
    transform,
    layout: inputLayout(transform, width, vectors?.width),
    index: readIndex(indexPath),
    items: readEntities(join(folder, 'items.arrow')),
    users: readEntities(join(folder, 'users.arrow')),
    sequences: readSequences(join(folder, 'sequences.arrow')),
    vectors,
  });
}
