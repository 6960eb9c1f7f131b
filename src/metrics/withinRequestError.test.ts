import { expect, test } from 'vitest';
import { WithinRequestError } from './withinRequestError.js';

const errorOf = (requests: readonly (readonly [number[], number[]])[]) => {
  const error = new WithinRequestError();
  for (const [approximate, exact] of requests) error.add(approximate, exact, 0, exact.length);
  return error.value;
};

test('a constant per request costs nothing, its order does', () => {
  expect(
    errorOf([
      [
        [7, 8, 9],
        [1, 2, 3],
      ],
    ]),
  ).toBeCloseTo(0, 12);
  expect(
    errorOf([
      [
        [3, 2, 1],
        [1, 2, 3],
      ],
    ]),
  ).toBeCloseTo(4, 12); // (2 + 2) per unit of deviation, squared
});

test('saying nothing is an error of 1', () => {
  expect(
    errorOf([
      [
        [5, 5, 5],
        [1, 2, 6],
      ],
    ]),
  ).toBeCloseTo(1, 12);
});

test('requests weigh by how much their exact values differ; single candidates do not count', () => {
  const requests: [number[], number[]][] = [
    [
      [0, 0],
      [-1, 1],
    ], // misses 2 of 2
    [
      [-3, 3],
      [-3, 3],
    ], // misses 0 of 18
    [[100], [0]],
  ];
  expect(errorOf(requests)).toBeCloseTo(2 / 20, 12);
});

test('without differences there is no value', () => {
  expect(
    errorOf([
      [
        [1, 2],
        [3, 3],
      ],
    ]),
  ).toBeNull();
  expect(errorOf([])).toBeNull();
});

test('vectors are added coordinate by coordinate', () => {
  const error = new WithinRequestError();
  const exact = [1, 10, 2, 30, 3, 50]; // [candidate, 2]
  const approximate = [2, 0, 2, 0, 2, 0]; // knows neither coordinate
  for (let d = 0; d < 2; d++) error.add(approximate, exact, d, 3, 2);
  expect(error.value).toBeCloseTo(1, 12);
  const first = new WithinRequestError();
  for (let d = 0; d < 2; d++) first.add([1, 7, 2, 7, 3, 7], exact, d, 3, 2);
  expect(first.value).toBeCloseTo(800 / 802, 12); // misses the second coordinate, of squares 800, and not the first, of 2
});
