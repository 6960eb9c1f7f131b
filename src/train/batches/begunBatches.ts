/** Batches of which the first is asked for at once, so that it is there, with those that a thread makes after it, when it is needed. */
export class BegunBatches<T> {
  private readonly first: Promise<IteratorResult<T, void>>;

  constructor(private readonly made: AsyncGenerator<T, void>) {
    this.first = made.next();
    this.first.catch(() => undefined); // told to who takes it
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    try {
      const { value, done } = await this.first;
      if (done) return;
      yield value;
      yield* this.made;
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.made.return();
  }
}
