import { expect, it } from 'vitest';
import { BegunBatches } from './begunBatches.js';

/** Numbers below `count`, and what was asked for and let go of. */
function numbers(count: number) {
  const seen = { asked: 0, closed: 0 };
  // eslint-disable-next-line @typescript-eslint/require-await -- what is there at once, where what is waited for may come
  async function* made(): AsyncGenerator<number, void> {
    try {
      for (; seen.asked < count; seen.asked++) yield seen.asked;
    } finally {
      seen.closed++;
    }
  }
  return { seen, made: made() };
}

async function all<T>(batches: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

it('asks for the first batch before anybody takes it, and gives all in their order', async () => {
  let asked = false;
  async function* made(): AsyncGenerator<string, void> {
    asked = true;
    yield await Promise.resolve('first');
    yield 'second';
  }
  const batches = new BegunBatches(made());
  expect(asked).toBe(true);
  expect(await all(batches)).toEqual(['first', 'second']);
  expect(await all(new BegunBatches(numbers(0).made))).toEqual([]);
});

it('lets go of what it has begun: unread, in the middle and at the end', async () => {
  const [unread, half, whole] = [numbers(5), numbers(5), numbers(5)];
  await new BegunBatches(unread.made).close();
  for await (const batch of new BegunBatches(half.made)) if (batch === 0) break;
  await all(new BegunBatches(whole.made));
  expect([unread, half, whole].map(({ seen }) => seen.closed)).toEqual([1, 1, 1]);
  expect(half.seen.asked).toBe(0);
});

it('tells of a failure once the batches are taken', async () => {
  // eslint-disable-next-line require-yield, @typescript-eslint/require-await -- fails before it has anything
  async function* failing(): AsyncGenerator<never, void> {
    throw new Error('damaged');
  }
  const batches = new BegunBatches(failing());
  await new Promise((later) => setImmediate(later)); // an unhandled rejection would end the process here
  await expect(all(batches)).rejects.toThrow('damaged');
});
