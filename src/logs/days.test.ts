import { expect, it } from 'vitest';
import { dayOf, offsetMs } from './days.js';

it('a zone is a signed offset, half hours included', () => {
  expect([offsetMs('+08:00'), offsetMs('-03:30'), offsetMs('+00:00')]).toEqual([28_800_000, -12_600_000, 0]);
});

it('a day begins at midnight of the zone', () => {
  expect(dayOf(Date.UTC(2022, 3, 24, 15, 59, 59, 999), '+08:00')).toBe('2022-04-24');
  expect(dayOf(Date.UTC(2022, 3, 24, 16), '+08:00')).toBe('2022-04-25');
  expect(dayOf(Date.UTC(2022, 3, 24, 3), '-03:30')).toBe('2022-04-23');
});
