import { describe, expect, it } from 'vitest';
import { describeError } from '../errors.js';
import { refuseTooLarge } from './workbench.js';

describe('a table in memory', () => {
  it('that is larger than the machine is refused before anything is allocated', () => {
    expect(() => {
      refuseTooLarge(1_000_000, 16, 24e9);
    }).not.toThrow();
    try {
      refuseTooLarge(100_000_000, 16, 24e9);
      expect.unreachable();
    } catch (error) {
      expect(describeError(error)).toMatchInlineSnapshot(`
        "error  training.table_too_large  features
               The embedding table has 100000000 rows of 16 numbers; to train it in memory takes 32 GB, and this machine has 24.
               Set training.embeddings.kind to file, or give hashed features fewer buckets."
      `);
    }
  });
});
