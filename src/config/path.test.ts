import fc from 'fast-check';
import { expect, test } from 'vitest';
import { overlaps, parsePath, pathText } from './path.js';

test('a path is written as people write it', () => {
  expect(pathText(['features', 'user', 0, 'name'])).toBe('features.user[0].name');
  expect(pathText(['logs', 'requests', 'columns', 'a.b'])).toBe('logs.requests.columns["a.b"]');
});

test('elements of a list are named by brackets or by a dot', () => {
  expect(parsePath('a.b[0].c')).toEqual(['a', 'b', 0, 'c']);
  expect(parsePath('a.b.0.c')).toEqual(['a', 'b', 0, 'c']);
});

test.each(['', '.', 'a..b', 'a.', 'a[', 'a[x]', 'a[0]b', 'a b', '[-1]', 'a["\\x"]'])(
  '%j is no path',
  (text) => {
    expect(parsePath(text)).toBeNull();
  },
);

test('every path can be read back from its text', () => {
  const word = fc.string({ minLength: 1 }).filter((text) => !/^\d+$/.test(text));
  const path = fc.tuple(word, fc.array(fc.oneof(word, fc.nat()))).map(([first, rest]) => [first, ...rest]);
  fc.assert(
    fc.property(path, (steps) => {
      expect(parsePath(pathText(steps))).toEqual(steps);
    }),
  );
});

test('paths overlap when one holds the other', () => {
  expect(overlaps(['a', 'b'], ['a'])).toBe(true);
  expect(overlaps(['a'], ['a', 'b'])).toBe(true);
  expect(overlaps([], ['a'])).toBe(true);
  expect(overlaps(['a', 'b'], ['a', 'c'])).toBe(false);
});
