import { describe, expect, it } from 'vitest';
import { at, buildFrom, type Logs } from '../../test/support/canonicalLogs.js';
import { feedback, otherDays, request, shown, together } from '../../test/support/logRows.js';

describe('item_freq', () => {
  it('counts positives of training days strictly before each day', async () => {
    // Days 1-4 train, 5 validation, 6 test; item 1 is clicked every day, item 2 on days 2 and 5.
    const days = [1, 2, 3, 4, 5, 6];
    const logs: Logs = {
      requests: days.map((day) => request(day, at(day, 3600))),
      candidates: days.flatMap((day) => [shown(day, 1), shown(day, 2)]),
      feedback: days.flatMap((day) => [
        feedback(day, 1, { click: 1 }),
        feedback(day, 2, { click: day === 2 || day === 5 ? 1 : 0 }),
      ]),
    };
    const built = await buildFrom(logs);
    const rows = await built.rows('item_freq', 'SELECT dt, item_id, n_pos, q, log_q FROM t');
    const counts = rows.map((row) => `${String(row.dt)} ${String(row.item_id)}: ${String(row.n_pos)}`);
    expect(counts).toEqual([
      '2024-01-02 1: 1',
      '2024-01-03 1: 2',
      '2024-01-03 2: 1',
      '2024-01-04 1: 3',
      '2024-01-04 2: 1',
      '2024-01-05 1: 4',
      '2024-01-05 2: 1',
      '2024-01-06 1: 4',
      '2024-01-06 2: 1',
    ]);
    expect(rows[1]).toMatchObject({ q: 2 / 3, log_q: Math.log(2 / 3) });
  });

  it('gives the unigram shares and logarithms of 11.3', async () => {
    const clicks = [100, 50, 10, 1].flatMap((n, item) => new Array<number>(n).fill(item));
    const logs = together(otherDays, {
      requests: clicks.map((_, i) => request(i + 1, at(1, i))),
      candidates: clicks.map((item, i) => shown(i + 1, item)),
      feedback: clicks.map((item, i) => feedback(i + 1, item, { click: 1 })),
    });
    const built = await buildFrom(logs);
    const rows = await built.rows('item_freq', `SELECT q, log_q FROM t WHERE dt = '2024-01-02'`);
    const golden = [
      [0.621118, -0.476234],
      [0.310559, -1.169381],
      [0.062112, -2.778819],
      [0.006211, -5.081404],
    ];
    rows.forEach((row, i) => {
      expect(row.q).toBeCloseTo(golden[i]![0]!, 6);
      expect(row.log_q).toBeCloseTo(golden[i]![1]!, 6);
    });
    expect(rows).toHaveLength(4);
  });
});
