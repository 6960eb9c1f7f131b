/**
 * The user's own vectors of all items, in the order of items.arrow: the Arrow file that the codebook stage leaves for those after it.
 * Only directions count (every reader brings them to unit length), so that they are stored at unit length.
 */
import { arrowBytes, ArrowFile } from './arrow.js';

export interface ItemVectors {
  readonly width: number;
  readonly values: Float32Array; // [item · width]
}

export const itemVectorsBytes = ({ width, values }: ItemVectors): Uint8Array =>
  arrowBytes(values.length / width, { vector: { kind: 'fixed', values, width } });

export function readItemVectors(path: string): ItemVectors {
  const file = new ArrowFile(path, 'shared');
  const values = file.values('vector', Float32Array);
  return { width: values.length / file.rows, values };
}
