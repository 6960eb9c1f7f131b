/**
 * Adam's loops (adam.wat) without WebAssembly, to the bit: for a process that may not reserve the 10 GB of addresses that V8 asks for a
 * memory (`ulimit -v`). Ten times slower.
 */
import type { Place } from './optimizer.js';

export interface AdamRates {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** The learning rate over m's bias correction, 1 - beta1^t. */
  readonly stepSize: number;
  /** 1 over the root of v's bias correction. */
  readonly rootScale: number;
  /** What weight decay leaves of the parameter. */
  readonly kept: number;
}

/** Gradients that follow one another from `from` on, and what they are multiplied by. */
export interface AdamGradient {
  readonly values: Float32Array;
  readonly from: number;
  readonly factor: number;
}

const { fround, sqrt } = Math;

export function updatePlainly(place: Place, { values, from, factor }: AdamGradient, rates: AdamRates): void {
  const [b1, c1, b2, c2] = [rates.beta1, 1 - rates.beta1, rates.beta2, 1 - rates.beta2].map(fround) as Four;
  const [step, root, epsilon, kept] = [rates.stepSize, rates.rootScale, rates.epsilon, rates.kept].map(
    fround,
  ) as Four;
  const scale = fround(factor);
  const { parameter, slots, starts, width } = place;
  const [m, v] = slots as readonly [Float32Array, Float32Array];
  let next = from;
  for (const start of starts) {
    for (let i = start; i < start + width; i++) {
      const g = fround(values[next++]! * scale);
      const newM = fround(fround(b1 * m[i]!) + fround(c1 * g));
      const newV = fround(fround(b2 * v[i]!) + fround(fround(c2 * g) * g));
      m[i] = newM;
      v[i] = newV;
      const over = fround(fround(root * fround(sqrt(newV))) + epsilon);
      parameter[i] = fround(kept * parameter[i]!) - fround(fround(step * newM) / over);
    }
  }
}

/** `missed`: kept, moved, keptM and keptV of each row (adam.wat). */
export function driftPlainly(
  { parameter, slots, starts, width }: Place,
  missed: Float32Array,
  epsilon: number,
): void {
  const added = fround(epsilon);
  const [m, v] = slots as readonly [Float32Array, Float32Array];
  starts.forEach((start, row) => {
    const [kept, moved, keptM, keptV] = missed.subarray(4 * row, 4 * row + 4) as unknown as Four;
    for (let i = start; i < start + width; i++) {
      const over = fround(fround(sqrt(v[i]!)) + added);
      parameter[i] = fround(kept * parameter[i]!) - fround(fround(moved * m[i]!) / over);
      m[i] = keptM * m[i]!;
      v[i] = keptV * v[i]!;
    }
  });
}

type Four = [number, number, number, number];
