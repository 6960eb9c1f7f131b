import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { at, buildFrom, configOf, type Built } from '../../test/support/canonicalLogs.js';
import {
  candidate,
  event,
  feedback,
  filesOf,
  otherDays,
  request,
  sample,
  shown,
  together,
} from '../../test/support/logRows.js';
import { behavioursOf } from '../../test/support/encoded.js';
import { randomLogs, shuffled } from '../../test/support/randomLogs.js';
import { parseTransform } from '../data/features.js';
import { readSequences } from '../data/sequences.js';
import { readEntities, readIndex, readShard } from '../data/shards.js';

describe('the request of sample-construction.md 11.1', () => {
  const logs = together(otherDays, {
    requests: [request(1, at(1))],
    candidates: [
      candidate(1, 1, { stage_reached: 3 }),
      shown(1, 2),
      candidate(1, 3),
      shown(1, 4),
      candidate(1, 5, { incl_prob: 0.5 }),
      candidate(1, 6, { stage_reached: 0 }), // beyond K_ret
      shown(1, 9, { forced: true }),
    ],
    feedback: [feedback(1, 4, { click: 1 }), feedback(1, 9, { click: 1 })],
    items: [1, 2, 3, 4, 5, 6, 9].map((item) => ({ item_id: item })),
  });
  let built: Built;
  beforeAll(async () => {
    built = await buildFrom(logs);
  });

  it('gives set A: all exposures, the forced one too', async () => {
    expect(await sample(built, 'samples_a', 1)).toEqual({
      request_id: 1n,
      user_id: 1n,
      request_ts: new Date(at(1)),
      dt: '2024-01-01',
      split: 'train',
      n_behaviours: 0,
      item_ids: [2, 4, 9],
      label: [0, 1, 1],
      exposed: [true, true, true],
      stage: [6, 6, 6],
      negative_kind: ['shown_not_clicked', null, null],
      weight: [1, 1, 1],
      incl_prob: [1, 1, 1],
      draw_prob: [null, null, null],
    });
  });

  it('gives set B: the truncated retrieval space, neither the forced item nor the one beyond it', async () => {
    expect(await sample(built, 'samples_b', 1)).toMatchObject({
      item_ids: [1, 2, 3, 4, 5],
      label: [0, 0, 0, 1, 0],
      exposed: [false, true, false, true, false],
      stage: [3, 6, 1, 6, 1],
      negative_kind: ['ranked_not_shown', 'shown_not_clicked', 'cut_by_preranker', null, 'cut_by_preranker'],
      weight: [1, 1, 1, 1, 2],
      incl_prob: [1, 1, 1, 1, 0.5],
      draw_prob: [null, null, null, null, null],
    });
  });

  it('prints what was sampled and what was not', () => {
    expect(built.result.lines.join('\n')).toMatchInlineSnapshot(`
      "days: train before 2024-01-02, validation before 2024-01-03, test from then on
      set A train: 1 requests, 3 candidates, label rate 0.6667, 100.0 % of requests without history, 1 shown not clicked
      set A validation: 1 requests, 1 candidates, label rate 0.0000, 100.0 % of requests without history, 1 with one candidate, 1 shown not clicked
      set A test: 1 requests, 1 candidates, label rate 0.0000, 100.0 % of requests without history, 1 with one candidate, 1 shown not clicked
      set B train: 1 requests, 5 candidates, label rate 0.2000, 100.0 % of requests without history, 1 shown not clicked, 1 ranked not shown, 2 cut by preranker
      set B validation: 0 requests, 0 candidates, label rate –, 0.0 % of requests without history
      set B test: 0 requests, 0 candidates, label rate –, 0.0 % of requests without history
      left out of B: 2 requests with fewer than two retrieved candidates
      left out of B: 2 candidates that were forced in or not retrieved
      sequences: 0 behaviours
      features: 6 embedding rows
        user: 2 rows, out of vocabulary 100.0 % of validation, 100.0 % of test
        item: 4 rows, out of vocabulary 100.0 % of validation, 100.0 % of test"
    `);
  });
});

describe('samples of a random log', () => {
  const config = configOf({
    samples: { b: { max_candidates: 6, negatives: [{ kind: 'uniform', per_request: 2 }, { kind: 'popularity', per_request: 2 }] } },
    // Features named like id columns, of every source: the order of ids must not become that of texts.
    features: {
      user: [{ name: 'user_id', kind: 'id', column: 'users.user_id' }],
      context: [{ name: 'request_id', kind: 'hashed', column: 'requests.request_id', buckets: 50 }],
      item: [{ name: 'item_id', kind: 'id', column: 'items.item_id' }],
      sequence: ['item_id'],
    },
  }); // prettier-ignore
  const logs = randomLogs(4, { users: 30, items: 120, days: 6, requests: 400 });
  let built: Built;
  beforeAll(async () => {
    built = await buildFrom(logs, config);
  });

  it('are the same bytes whatever the order of the rows and the number of threads (11.6, property 3)', async () => {
    const first = await filesOf(built);
    expect([...first.keys()].some((name) => name.startsWith('samples_b/'))).toBe(true);
    for (const [seed, threads] of [
      [1, 1],
      [2, 2],
    ] as const) {
      const again = await filesOf(await buildFrom(shuffled(logs, seed), { ...config, threads }));
      expect([...again.keys()]).toEqual([...first.keys()]);
      for (const [name, bytes] of first) expect([name, again.get(name)!.equals(bytes)]).toEqual([name, true]);
    }
  });

  it('are other samples for another seed, in set B alone', async () => {
    const [first, other] = [
      await filesOf(built),
      await filesOf(await buildFrom(logs, { ...config, seed: 2 })),
    ];
    const same = (name: string) => first.get(name)?.equals(other.get(name)!);
    expect(same('samples_a/part-00000.parquet')).toBe(true);
    expect(same('sequences/part-00000.parquet')).toBe(true);
    expect(same('samples_b/part-00000.parquet')).toBe(false);
  });

  it('hold exposures in A, retrieved candidates in B; a label of 1 was exposed (11.6, properties 1 and 7)', async () => {
    const byKey = new Map(
      logs.candidates!.map((row) => [`${String(row.request_id)}/${String(row.item_id)}`, row]),
    );
    for (const set of ['samples_a', 'samples_b']) {
      const rows = await built.rows(
        set,
        `SELECT request_id, unnest(item_ids) AS item_id, unnest(label) AS label, unnest(exposed) AS exposed, unnest(stage) AS stage,
                unnest(draw_prob) IS NULL AS logged FROM t`,
      );
      expect(rows.length).toBeGreaterThan(300);
      for (const row of rows) {
        const logged = byKey.get(`${String(row.request_id)}/${String(row.item_id)}`);
        expect(logged !== undefined).toBe(row.logged);
        if (set === 'samples_a') expect(logged?.exposed).toBe(true);
        else if (logged) expect([logged.forced, Number(logged.stage_reached) >= 1]).toEqual([false, true]);
        if (row.label === 1) expect(row.exposed).toBe(true);
        if (logged) expect(row.stage).toBe(logged.stage_reached);
      }
    }
    const [forced] = await built.rows('samples_a', `SELECT sum(len(item_ids)) AS n FROM t`);
    expect(Number(forced!.n)).toBe(logs.candidates!.filter((row) => row.exposed).length);
  });

  it('are split by day, and no request is in two splits', async () => {
    const rows = await built.rows(
      'samples_a',
      'SELECT split, min(dt) AS first, max(dt) AS last, count(*) AS n, count(DISTINCT request_id) AS ids FROM t GROUP BY split ORDER BY first',
    );
    expect(rows.map((row) => [row.split, row.first, row.last])).toEqual([
      ['train', '2024-01-01', '2024-01-04'],
      ['validation', '2024-01-05', '2024-01-05'],
      ['test', '2024-01-06', '2024-01-06'],
    ]);
    expect(rows.reduce((sum, row) => sum + Number(row.ids), 0)).toBe(400);
    for (const row of rows) expect(row.n).toBe(row.ids);
  });

  it('see nothing younger than the request: later events and its own change nothing (11.6, properties 4 and 5)', async () => {
    const counts = `SELECT request_id, n_behaviours FROM t ORDER BY request_id`;
    const before = await built.rows('samples_a', counts);
    expect(before.some((row) => Number(row.n_behaviours) > 5)).toBe(true);

    // Straight from the definition, for every request.
    const times = new Map(logs.requests!.map((row) => [row.request_id, row]));
    const events = logs.behaviours!.map((row) => {
      const own = times.get(row.request_id ?? null);
      const ts = Math.max(Number(row.event_ts), Number(own?.request_ts ?? 0));
      return { user: row.user_id, request: Number(row.request_id), ts };
    });
    for (const { request_id: id, n_behaviours: n } of before) {
      const { user_id: user, request_ts: ts } = times.get(Number(id))!;
      const seen = events.filter((row) => row.user === user && row.ts < Number(ts));
      expect(n).toBe(seen.length);
      expect(seen.every((row) => row.request !== Number(id))).toBe(true);
    }

    const last = at(5);
    const [cut, grown] = [
      logs.behaviours!.filter((row) => Number(row.event_ts) < last),
      [...logs.behaviours!, event(1, 1, last), event(2, 1, last + 1)],
    ];
    for (const behaviours of [cut, grown]) {
      const after = await (await buildFrom({ ...logs, behaviours }, config)).rows('samples_a', counts);
      const upTo = (rows: typeof before) =>
        rows.filter((row) => Number(times.get(Number(row.request_id))!.request_ts) <= last);
      expect(upTo(after)).toEqual(upTo(before));
    }
  });

  it('are encoded as they are: ids, lists, prefixes of sequences, rows of features', async () => {
    const index = readIndex(built.path('encoded/index.json'));
    const users = readEntities(built.path('encoded/users.arrow'));
    const items = readEntities(built.path('encoded/items.arrow'));
    const sequences = readSequences(built.path('encoded/sequences.arrow'));
    expect([...users.ids]).toEqual([...users.ids].toSorted((a, b) => (a < b ? -1 : 1)));
    expect([...items.ids]).toEqual([...items.ids].toSorted((a, b) => (a < b ? -1 : 1)));
    expect(index).toMatchObject({
      users: users.count,
      items: items.count,
      behaviours: sequences.starts.at(-1),
    });

    for (const set of ['a', 'b'] as const) {
      const written = await built.rows(`samples_${set}`, 'SELECT * FROM t');
      const shards = index[set].map((entry) => ({
        entry,
        shard: readShard(built.path(`encoded/${entry.file}`)),
      }));
      const decoded = shards.flatMap(({ entry, shard }) =>
        Array.from({ length: shard.requests }, (_, r) => {
          const slice = <T>(values: { slice(from: number, to: number): Iterable<T> }) => [
            ...values.slice(shard.offsets[r]!, shard.offsets[r + 1]!),
          ];
          return {
            request_id: shard.requestId[r],
            user_id: users.ids[shard.user[r]!],
            split: entry.split,
            n_behaviours: shard.behaviours[r],
            item_ids: slice(shard.items).map((item) => items.ids[item]),
            label: slice(shard.label),
            stage: slice(shard.stage),
            weight: slice(shard.weight),
            incl_prob: slice(shard.inclProb),
            draw_prob: slice(shard.drawProb).map((p) => (Number.isNaN(p) ? null : p)),
          };
        }),
      );
      expect(decoded).toHaveLength(written.length);
      decoded.forEach((row, i) => {
        expect(written[i]).toMatchObject(row);
      });
      for (const { entry, shard } of shards) {
        expect(entry).toMatchObject({ requests: shard.requests, candidates: shard.items.length });
        const lengths = Array.from(shard.offsets.slice(1), (end, r) => end - shard.offsets[r]!);
        expect(entry.maxCandidates).toBe(Math.max(...lengths));
        expect(entry.positives).toBe(shard.label.filter((label) => label === 1).length);
        expect(shard.slots).toHaveLength(shard.requests); // one hashed feature of the request
      }
    }

    // Behaviours of a user in the encoded order are the rows of `sequences`.
    const rows = await built.rows('sequences', 'SELECT user_id, item_id FROM t');
    const wanted = new Map<bigint, bigint[]>();
    for (const row of rows) {
      const user = row.user_id as bigint;
      wanted.set(user, [...(wanted.get(user) ?? []), row.item_id as bigint]);
    }
    users.ids.forEach((user, i) => {
      const behaviours = behavioursOf(sequences, i);
      expect(behaviours.map((item) => items.ids[item])).toEqual(wanted.get(user) ?? []);
    });

    // The row of an item is that of its own id.
    const vocabulary = await built.rows('vocabulary', `SELECT value, row FROM t WHERE feature = 'item_id'`);
    expect(vocabulary.length).toBeGreaterThan(50);
    for (const { value, row } of vocabulary) {
      const place = items.ids.indexOf(BigInt(String(value)));
      expect(items.slots[place]).toBe(Number(row));
    }
  });

  it('know items and users that have no attributes, and count training only', async () => {
    const unknown = together(otherDays, {
      requests: [request(1, at(1), 5), request(2, at(1, 1), 6)],
      candidates: [shown(1, 50), shown(1, 51), shown(2, 50)],
      behaviours: [event(5, 52, at(0))],
      items: [{ item_id: 53, colour: 'red' }, { item_id: 50, colour: 'blue' }],
      users: [{ user_id: 7, country: 'x' }],
    }); // prettier-ignore
    const withAttributes = configOf({
      features: {
        user: [{ name: 'country', kind: 'id', column: 'users.country' }],
        item: [{ name: 'colour', kind: 'id', column: 'items.colour' }],
        min_count: 1,
      },
    });
    const small = await buildFrom(unknown, withAttributes, {
      items: { colour: 'VARCHAR' },
      users: { country: 'VARCHAR' },
    });
    const items = readEntities(small.path('encoded/items.arrow'));
    expect([...items.ids].map(Number)).toEqual([50, 51, 52, 53, 900]);
    const { features } = parseTransform(
      await readFile(small.path('transform.json'), 'utf8'),
      'transform.json',
    );
    const { firstRow } = features[1]!;
    // 0 = out of vocabulary ('red' was never shown), 1 = null, 2 = 'blue'
    expect(Array.from(items.slots, (row) => row - firstRow)).toEqual([2, 1, 1, 0, 1]);
    expect([...readEntities(small.path('encoded/users.arrow')).ids].map(Number)).toEqual([5, 6, 7, 900]);
    const counts = await small.rows('vocabulary', 'SELECT value, count FROM t');
    expect(counts).toEqual([{ value: 'blue', count: 2n }]);
  });
});
