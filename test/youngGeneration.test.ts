/** That a thread that is started does not let the young generation of the others grow, in a process of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { root } from './support/program.js';

const memory = pathToFileURL(join(root, 'dist/memory.js')).href;

/** Bytes of the young generation before and after many objects that live for a while, with a thread beside that runs `code`. */
function grown(code: string): number {
  const script = `
    import v8 from 'node:v8';
    import { Worker } from 'node:worker_threads';
    import { keepYoungGeneration } from '${memory}';
    const size = () => v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size;
    const kept = [];
    const live = () => { for (let i = 0; i < 60_000; i++) kept.push({ i, list: [i] }); };
    keepYoungGeneration();
    live();
    const before = size();
    const thread = new Worker(${JSON.stringify(code)}, { eval: true });
    await new Promise((resolve) => thread.once('exit', resolve));
    for (let round = 0; round < 12; round++) live();
    console.log(size() / before);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

it('keeps its size where the thread asks for it, and not by itself', () => {
  expect(grown(`import('${memory}').then(({ keepYoungGeneration }) => keepYoungGeneration())`)).toBe(1);
  expect(grown('0')).toBeGreaterThan(1);
});
