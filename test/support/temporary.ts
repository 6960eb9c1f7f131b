import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Every folder the tests make lies under one, which goes when they are done: workers inherit the variable `tmpdir()` reads. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'cascade-tests-'));
  process.env.TMPDIR = folder;
  return () => {
    rmSync(folder, { recursive: true, force: true });
  };
}
