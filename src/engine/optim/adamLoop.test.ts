import { readFile } from 'node:fs/promises';
import makeWabt from 'wabt';
import { describe, expect, it } from 'vitest';
import { arraysForLoops } from '../loopMemory.js';
import { RandomStream } from '../random.js';
import { adamBytes } from './adamBytes.js';
import { driftByAdam, updateByAdam } from './adamLoop.js';
import { driftPlainly, updatePlainly, type AdamRates } from './adamPlain.js';

const rates: AdamRates = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  stepSize: 0.01,
  rootScale: 3.2,
  kept: 0.99,
};
/** What a row has missed, each another number of steps: kept, moved, keptM, keptV. */
const missedBy = (row: number) => [0.98 ** (row % 7), 0.03 + row / 100, 0.5 ** (row % 5), 0.97 ** (row % 3)];
const factor = 0.7;

// One number after another, each operation rounded to single precision, as adam.wat has them.
const { fround } = Math;
const times = (a: number, b: number) => fround(fround(a) * fround(b));
const root = (v: number, scale: number, epsilon: number) =>
  fround(times(scale, fround(Math.sqrt(v))) + fround(epsilon));

function updated(p: number, m: number, v: number, _: number, gradient: number): [number, number, number] {
  const g = times(gradient, factor);
  const newM = fround(times(rates.beta1, m) + times(1 - rates.beta1, g));
  const newV = fround(times(rates.beta2, v) + times(times(1 - rates.beta2, g), g));
  const moved = fround(times(rates.stepSize, newM) / root(newV, rates.rootScale, rates.epsilon));
  return [fround(times(rates.kept, p) - moved), newM, newV];
}

function drifted(p: number, m: number, v: number, row: number): [number, number, number] {
  const [kept, moved, keptM, keptV] = missedBy(row) as [number, number, number, number];
  const change = fround(times(moved, m) / root(v, 1, rates.epsilon));
  return [fround(times(kept, p) - change), times(keptM, m), times(keptV, v)];
}

it('is what adam.wat compiles to', async () => {
  const wabt = await makeWabt();
  const text = await readFile(new URL('adam.wat', import.meta.url), 'utf8');
  const { buffer } = wabt.parseWat('adam.wat', text, { simd: true }).toBinary({});
  expect(adamBytes).toBe(Buffer.from(buffer).toString('base64'));
});

const from = 2;

const ordinary = (lengths: readonly number[]) => lengths.map((length) => new Float32Array(length));

describe.each([
  ['where they lie', arraysForLoops, updateByAdam, driftByAdam],
  ['as copies', ordinary, updateByAdam, driftByAdam],
  ['without WebAssembly', ordinary, updatePlainly, driftPlainly],
] as const)('rows are moved %s', (_, make, update, move) => {
  /** Rows in three arrays, with numbers before, between and after them that are not to be touched. */
  function start(rows: number, width: number) {
    const stream = RandomStream.of(1, 'adam');
    const starts = Uint32Array.from({ length: rows }, (_, row) => 5 + (rows - 1 - row) * (width + 3));
    const arrays = make(Array<number>(3).fill(rows * (width + 3) + 9));
    arrays.forEach((array) => array.set(stream.normals(array.length)));
    const [parameter, m, v] = arrays as [Float32Array, Float32Array, Float32Array];
    v.forEach((x, i) => (v[i] = x * x));
    const gradients = stream.normals(from + rows * width);
    const expected = arrays.map((array) => array.slice());
    const expectEach = (
      move: (p: number, m: number, v: number, row: number, gradient: number) => readonly number[],
    ) => {
      starts.forEach((first, row) => {
        for (let i = 0; i < width; i++) {
          const [p, m, v] = arrays.map((array) => array[first + i]!) as [number, number, number];
          const gradient = gradients[from + row * width + i]!;
          move(p, m, v, row, gradient).forEach((x, array) => (expected[array]![first + i] = x));
        }
      });
    };
    return { arrays, place: { parameter, slots: [m, v], starts, width }, gradients, expected, expectEach };
  }

  // One row of a model's vector, and embedding rows: fewer and more than a block holds.
  const sizes = [
    ...[1, 3, 4096, 4097, 16_384, 16_385, 40_000].map((width) => [1, width]),
    [7, 4],
    [200, 64],
    [90, 50],
    [5000, 1],
  ];

  it.each(sizes)('%i of %i numbers, by gradients', (rows, width) => {
    const { arrays, place, gradients, expected, expectEach } = start(rows, width);
    expectEach(updated);
    update(place, { values: gradients, from, factor }, rates);
    expect(arrays.map((array) => array.slice())).toEqual(expected);
  });

  it.each(sizes)('%i of %i numbers, without gradients', (rows, width) => {
    const { arrays, place, expected, expectEach } = start(rows, width);
    expectEach(drifted);
    const missed = Float32Array.from(Array.from({ length: rows }, (_, row) => missedBy(row)).flat());
    move(place, missed, rates.epsilon);
    expect(arrays.map((array) => array.slice())).toEqual(expected);
  });
});
