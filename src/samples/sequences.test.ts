import { describe, expect, it } from 'vitest';
import { at, buildFrom, configOf } from '../../test/support/canonicalLogs.js';
import { event, otherDays, request, sample, shown, together } from '../../test/support/logRows.js';
import { readSequences } from '../data/sequences.js';

describe('sequences', () => {
  const withDelay = configOf({ samples: { sequence: { delay_seconds: 60 } } });

  it('hold events strictly before the request minus the delay (11.2)', async () => {
    const logs = together(otherDays, {
      requests: [request(1, at(1, 1000))],
      candidates: [shown(1, 1)],
      behaviours: [900, 935, 940, 945, 1000, 1005].map((second) => event(1, second, at(1, second))),
      items: [{ item_id: 1 }],
    });
    const built = await buildFrom(logs, withDelay);
    expect(await sample(built, 'samples_a', 1)).toMatchObject({ n_behaviours: 2 });
    const events = await built.rows('sequences', 'SELECT item_id FROM t');
    expect(events.slice(0, 2)).toEqual([{ item_id: 900n }, { item_id: 935n }]);
  });

  it('hold only the events that the config names, and are sorted', async () => {
    const logs = together(otherDays, {
      requests: [request(1, at(1, 100))],
      candidates: [shown(1, 1)],
      behaviours: [
        event(1, 5, at(1, 3), { event_type: 3 }),
        event(1, 4, at(1, 3), { event_type: 3 }),
        event(1, 6, at(1, 3)),
        event(1, 7, at(1, 2), { event_type: 2 }),
        event(1, 8, at(1, 1), { event_type: 12 }),
      ],
    });
    const built = await buildFrom(logs, configOf({ samples: { sequence: { events: ['click', 'like'] } } }));
    expect(await sample(built, 'samples_a', 1)).toMatchObject({ n_behaviours: 3 });
    const rows = await built.rows('sequences');
    expect(rows.map((row) => [row.item_id, row.event_type])).toEqual([
      [6n, 1],
      [4n, 3],
      [5n, 3],
    ]);
    expect(rows[0]!.event_ts).toEqual(new Date(at(1, 3)));
  });

  it('never hold an event of the request itself, even where its clock ran ahead', async () => {
    const logs = together(otherDays, {
      requests: [request(1, at(1, 100))],
      candidates: [shown(1, 1)],
      behaviours: [event(1, 1, at(1, 95), { request_id: 1 }), event(1, 2, at(1, 96))],
    });
    const built = await buildFrom(logs);
    expect(await sample(built, 'samples_a', 1)).toMatchObject({ n_behaviours: 1 });
    const events = await built.rows('sequences', 'SELECT item_id FROM t');
    expect(events).toEqual([{ item_id: 2n }, { item_id: 1n }]);
    expect(built.result.lines.join('\n')).toContain('1 behaviours are older than the request they came from');
  });

  it('of nobody are an empty table', async () => {
    const built = await buildFrom(
      together(otherDays, { requests: [request(1, at(1))], candidates: [shown(1, 1)] }),
      configOf({
        features: {
          user: [{ name: 'user', kind: 'id', column: 'users.user_id' }],
          item: [{ name: 'item', kind: 'id', column: 'items.item_id' }],
        },
      }),
    );
    expect(await built.rows('sequences')).toEqual([]);
    expect(readSequences(built.path('encoded/sequences.arrow')).starts).toEqual(Float64Array.of(0, 0, 0));
  });
});
