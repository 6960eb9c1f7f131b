/** Adds up how long the engine is at work, so that a training can say which share of its time it was not waited for. */
export class BusyClock {
  ms = 0;

  /** Counts from now until the function that it returns is called. */
  start(): () => void {
    const from = performance.now();
    return () => {
      this.ms += performance.now() - from;
    };
  }
}
