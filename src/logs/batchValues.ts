/** Typed access to a batch whose query fixed the types of its columns. */
import type { Batch, Values } from '../data/columns.js';
import { internal } from '../errors.js';

export function valuesOf<T extends Values>(batch: Batch, name: string, type: new (length: number) => T): T {
  const column = batch.columns[name];
  if (!column || 'offsets' in column || !(column.values instanceof type)) {
    return internal(`column ${name} of a query is not ${type.name}`);
  }
  return column.values;
}
