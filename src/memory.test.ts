import { expect, it, vi } from 'vitest';
import { collectAll, letGo } from './memory.js';

const megabytes = () => process.memoryUsage().arrayBuffers / 2 ** 20;

it('collects arrays that are let go of once they are many, and not at each of them', async () => {
  collectAll();
  const before = megabytes();
  for (let i = 0; i < 24; i++) new Uint8Array(2 ** 20).fill(i);
  letGo(2 ** 21);
  expect(megabytes() - before).toBeGreaterThan(20);
  letGo(2 ** 21);
  await vi.waitFor(() => {
    expect(megabytes() - before).toBeLessThan(4);
  });
});
