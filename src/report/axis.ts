/** Axes with round numbers, written as everywhere in the report: `.72`, `−.02`, `1.5`. */
import { decimals } from '../metrics/numbers.js';
import { minus } from './words.js';

const ink = '#1a1a1a';
const faint = '#595959';

const look = {
  axisLine: { show: true, lineStyle: { color: '#9a9a9a' } },
  axisTick: { show: false },
  splitLine: { show: true, lineStyle: { color: '#e4e4e4' } },
  nameLocation: 'middle',
  nameTextStyle: { color: faint, fontSize: 12 },
};

/** An axis of whole steps that holds all values. */
export function valueAxis(values: readonly number[]) {
  const { min, max, interval } = roundRange(Math.min(...values), Math.max(...values));
  const digits = Math.max(0, Math.ceil(-Math.log10(interval) - 1e-9));
  const written = (value: number) => (Math.abs(value) < interval / 2 ? '0' : minus(decimals(value, digits)));
  return {
    ...look,
    type: 'value',
    min,
    max,
    interval,
    axisLabel: { color: faint, fontSize: 12, formatter: written },
  };
}

/** An axis of whole numbers from first to last: epochs, steps. */
export function countAxis(first: number, last: number, name: string) {
  return {
    ...look,
    type: 'value',
    min: first,
    max: last,
    minInterval: 1,
    splitNumber: 4,
    splitLine: { show: false },
    name,
    nameGap: 24,
    axisLabel: { color: faint, fontSize: 12, showMaxLabel: false },
  };
}

/** One line a word, from the top down. */
export function wordAxis(words: readonly string[]) {
  return {
    type: 'category',
    inverse: true,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: ink, fontSize: 13 },
    data: words,
  };
}

/** A range in about five steps of 1, 2 or 5 times a power of ten that holds both ends. */
export function roundRange(low: number, high: number): { min: number; max: number; interval: number } {
  const span = Math.max(high - low, 1e-4);
  const power = 10 ** Math.floor(Math.log10(span / 5));
  const interval = power * ([1, 2, 5].find((step) => step * power >= span / 5) ?? 10);
  const times = (steps: number) => Number((steps * interval).toPrecision(12)); // .6, not .6000000000000001
  const ends = { min: times(Math.floor(low / interval)), max: times(Math.ceil(high / interval)) };
  // One value on a whole step would give a range of nothing.
  return {
    min: ends.min,
    max: ends.min === ends.max ? times(Math.ceil(high / interval) + 1) : ends.max,
    interval,
  };
}
