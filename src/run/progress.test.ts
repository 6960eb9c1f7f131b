import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { duration, openProgress, plainProgress, silentProgress } from './progress.js';

test.each([
  [0, '0.0 s'],
  [3.25, '3.3 s'],
  [10, '10 s'],
  [59.4, '59 s'],
  [59.6, '1 min 0 s'],
  [200, '3 min 20 s'],
  [3600, '1 h 0 min'],
  [3899, '1 h 4 min'],
  [100_000, '27 h 46 min'],
  [Number.NaN, '?'],
  [Number.POSITIVE_INFINITY, '?'],
])('%d seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

test('without a terminal a line is printed now and then, with rate and time left', () => {
  const lines: string[] = [];
  let now = 0;
  const progress = plainProgress(
    (line) => lines.push(line),
    () => now,
  );
  progress.note('begin');
  const task = progress.begin('teacher', 1000, 'steps');
  now = 5_000;
  task.update(100);
  now = 10_000;
  task.update(200, 'loss 0.5');
  now = 15_000;
  task.update(300);
  now = 25_000;
  task.update(400);
  task.end();
  expect(lines).toEqual([
    'begin',
    'teacher: 200 of 1000 steps, 20/s, 40 s left loss 0.5',
    'teacher: 400 of 1000 steps, 16/s, 38 s left',
  ]);
});

test('a task that has not moved does not guess its end', () => {
  const lines: string[] = [];
  let now = 0;
  const task = plainProgress(
    (line) => lines.push(line),
    () => now,
  ).begin('logs', 10, 'days');
  now = 20_000;
  task.update(0);
  expect(lines).toEqual(['logs: 0 of 10 days, 0.0/s, ? left']);
});

test('a stream that is no terminal gets plain lines', () => {
  const stream = new PassThrough();
  // Of a terminal's stream only write and isTTY are used here.
  openProgress(stream as unknown as NodeJS.WriteStream).note('hello');
  expect(String(stream.read())).toBe('hello\n');
});

test('silent progress says nothing', () => {
  silentProgress.note('x');
  const task = silentProgress.begin('x', 1, 'y');
  task.update(1);
  task.end();
});
