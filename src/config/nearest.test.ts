import { expect, test } from 'vitest';
import { nearest } from './nearest.js';

test('a word with a slip or two is recognised', () => {
  expect(nearest('sede', ['seed', 'teacher'])).toBe('seed');
  expect(nearest('temprature', ['temperature', 'width'])).toBe('temperature');
});

test('camelCase and hyphens are no obstacle', () => {
  expect(nearest('rowsPerStep', ['rows_per_step'])).toBe('rows_per_step');
  expect(nearest('rows-per-step', ['rows_per_step'])).toBe('rows_per_step');
});

test('a word that is near none has no nearest', () => {
  expect(nearest('momentum', ['learning_rate', 'beta1'])).toBeUndefined();
  expect(nearest('x', [])).toBeUndefined();
});
