/**
 * Named random streams: one each for initialisation, shuffling, negatives, k-means and so on, all derived from the run's seed, so
 * that no stream's draws depend on how often another was used. A stream's state is four integers that a checkpoint can hold.
 *
 * Generator: sfc32 (Chris Doty-Humphrey's "small fast counting", 128 bits of state), seeded from SHA-256 of seed and name.
 */
import { createHash } from 'node:crypto';

export type RandomState = readonly [number, number, number, number];

export class RandomStream {
  private constructor(
    private a: number,
    private b: number,
    private c: number,
    private counter: number,
  ) {}

  /** The stream `name` of a run's seed. */
  static of(seed: number, name: string): RandomStream {
    const digest = createHash('sha256').update(`${seed}/${name}`).digest();
    return RandomStream.seeded(digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8));
  }

  /** Stream number `number` of a key of 64 bits. */
  static at([a, b]: readonly [number, number], number: number): RandomStream {
    return RandomStream.seeded(a, b, number);
  }

  private static seeded(a: number, b: number, c: number): RandomStream {
    const stream = new RandomStream(a, b, c, 1);
    for (let i = 0; i < 12; i++) stream.bits();
    return stream;
  }

  static from([a, b, c, counter]: RandomState): RandomStream {
    return new RandomStream(a, b, c, counter);
  }

  /** 64 bits of the state, as a key for streams by number (`at`). */
  get key(): readonly [number, number] {
    return [this.a, this.b];
  }

  get state(): RandomState {
    return [this.a, this.b, this.c, this.counter];
  }

  /** 32 random bits as a signed integer. */
  private bits(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum;
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  /** A whole number in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal, by Box and Muller; two uniforms a draw, nothing kept between draws. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Number of events with the given mean (Knuth's product of uniforms; for means up to some hundred). */
  poisson(mean: number): number {
    const limit = Math.exp(-mean);
    let events = -1;
    for (let product = 1; product > limit; product *= this.uniform()) events++;
    return Math.max(0, events);
  }

  /** 0..n-1 in random order (Fisher and Yates). */
  permutation(n: number): Int32Array {
    const order = new Int32Array(n);
    for (let i = 0; i < n; i++) order[i] = i; // Int32Array.from takes a microsecond a number
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }

  /** Fills an array with normal values of the given standard deviation. */
  normals(length: number, deviation = 1): Float32Array {
    return Float32Array.from({ length }, () => deviation * this.normal());
  }

  /** Fills an array with uniform values in [-bound, bound). */
  uniforms(length: number, bound: number): Float32Array {
    return Float32Array.from({ length }, () => bound * (2 * this.uniform() - 1));
  }
}
