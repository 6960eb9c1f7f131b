import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roundRange } from './axis.js';
import { count } from './cells.js';
import { thinned } from './curves.js';
import { html, trusted } from './html.js';
import { tableLines } from './table.js';
import { signed, wordsOf } from './words.js';

describe('a table on the command line', () => {
  it('aligns its columns, numbers to the right', () => {
    const lines = tableLines(
      [{ title: 'model' }, { title: 'auc', align: 'right' }, { title: 'note' }],
      [
        ['two_tower', '.7401', ''],
        ['student', '.7712', '← best'],
      ],
    );
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "model        auc  note
      ─────────  ─────  ──────
      two_tower  .7401
      student    .7712  ← best"
    `);
  });

  it('does not count colours as width, and takes short rows', () => {
    const lines = tableLines([{ title: 'a' }, { title: 'b' }], [['\u001b[32mok\u001b[39m', 'x'], ['long']]);
    expect(lines[2]).toBe('\u001b[32mok\u001b[39m    x');
    expect(lines[3]).toBe('long');
  });
});

describe('HTML templates', () => {
  it('escape text, keep HTML, join lists, and leave out null and false', () => {
    const inner = html`<i>${'a < b & "c"'}</i>`;
    expect(html`<p title="${`it's`}">${inner}${['x', 1, null, false, trusted('<br />')]}</p>`.text).toBe(
      '<p title="it&#39;s"><i>a &lt; b &amp; &quot;c&quot;</i>x1<br /></p>',
    );
  });
});

describe('an axis', () => {
  it('has round ends that hold all values, in 1 to 11 steps', () => {
    const real = fc.double({ min: -1000, max: 1000, noNaN: true });
    fc.assert(
      fc.property(real, real, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const { min, max, interval } = roundRange(low, high);
        const steps = (max - min) / interval;
        expect(min).toBeLessThanOrEqual(low + 1e-9);
        expect(max).toBeGreaterThanOrEqual(high - 1e-9);
        expect(steps).toBeCloseTo(Math.round(steps), 6);
        expect(Math.round(steps)).toBeGreaterThanOrEqual(1);
        expect(Math.round(steps)).toBeLessThanOrEqual(11);
      }),
    );
  });

  it('has ends without the dust of binary fractions', () => {
    expect(roundRange(0.31, 0.58)).toEqual({ min: 0.3, max: 0.6, interval: 0.1 });
    expect(roundRange(0.5, 0.5)).toMatchObject({ min: 0.5 });
  });
});

describe('a long curve', () => {
  it('is thinned to block means that keep the mean of the whole', () => {
    const points = Array.from({ length: 1200 }, (_, i) => [i, i % 7] as const);
    const thin = thinned(points, 150);
    expect(thin).toHaveLength(150);
    expect(thin[0]).toEqual([3.5, 21 / 8]);
    const mean = (of: readonly (readonly [number, number])[]) =>
      of.reduce((sum, [, y]) => sum + y, 0) / of.length;
    expect(mean(thin)).toBeCloseTo(mean(points), 12);
    expect(thinned(points.slice(0, 100))).toEqual(points.slice(0, 100));
    expect(thinned([])).toEqual([]);
  });
});

describe('words', () => {
  it('name a metric with its cutoff, and one they do not know by its own name', () => {
    expect(wordsOf('teacher_recall@5').label).toBe('Teacher recall@5');
    expect(wordsOf('teacher_tau').label).toBe('teacher_tau');
  });

  it('sign differences, and group thousands', () => {
    expect([0.0311, -0.0006, 0.00001, -0.00001].map(signed)).toEqual(['+.0311', '−.0006', '.0000', '.0000']);
    expect([7, 1234, 1234567].map(count)).toEqual(['7', '1\u202f234', '1\u202f234\u202f567']);
  });
});
