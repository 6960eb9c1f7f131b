/** A small random log with everything that samples must cope with; the same for the same seed. */
import { RandomStream } from '../../src/engine/random.js';
import { at, dayOf, type Logs, type Row } from './canonicalLogs.js';

export interface WorldSize {
  readonly users: number;
  readonly items: number;
  readonly days: number;
  readonly requests: number;
}

export function randomLogs(
  seed: number,
  size: WorldSize = { users: 20, items: 60, days: 5, requests: 200 },
): Logs {
  const random = RandomStream.of(seed, 'test/logs');
  const requests: Row[] = [];
  const candidates: Row[] = [];
  const feedback: Row[] = [];
  const behaviours: Row[] = [];
  const items = Array.from({ length: size.items }, (_, i): Row => {
    const publish = i % 4 === 0 ? at(1 + random.below(size.days), random.below(86_400)) : null;
    return {
      item_id: i + 1,
      publish_ts: publish,
      valid_to: i % 7 === 0 ? (publish ?? at(1)) + 36 * 3_600_000 : null,
    };
  });
  // Some events before the log, and events on the very seconds of requests.
  for (let i = 0; i < 5 * size.users; i++) {
    behaviours.push(
      event(1 + random.below(size.users), 1 + random.below(size.items), at(0, random.below(86_400))),
    );
  }
  for (let id = 1; id <= size.requests; id++) {
    const ts = at(1 + ((id - 1) % size.days), random.below(86_400));
    const user = 1 + random.below(size.users);
    requests.push({ request_id: id, request_ts: ts, user_id: user, dt: dayOf(ts) });
    const order = random.permutation(size.items);
    const length = 1 + random.below(12);
    for (let c = 0; c < length; c++) {
      const item = order[c]! + 1;
      const exposed = c < 1 + random.below(3);
      const ranked = exposed || random.uniform() < 0.3;
      candidates.push({
        dt: dayOf(ts),
        request_id: id,
        item_id: item,
        stage_reached: exposed ? 6 : ranked ? 4 : random.below(3),
        rank_rank: ranked ? c + 1 : null,
        exposed,
        forced: exposed && c > 0 && random.uniform() < 0.2,
        incl_prob: exposed || ranked ? 1 : 0.25,
      });
      if (!exposed) continue;
      const click = random.uniform() < 0.3 ? 1 : 0;
      feedback.push({ dt: dayOf(ts), request_id: id, item_id: item, click });
      if (click) behaviours.push(event(user, item, ts + random.below(3) * 1000, id));
    }
  }
  return { requests, candidates, feedback, behaviours, items };
}

const event = (user: number, item: number, ts: number, request: number | null = null): Row => ({
  user_id: user,
  item_id: item,
  event_ts: ts,
  event_type: 1,
  request_id: request,
});

/** The same rows in another order. */
export function shuffled(logs: Logs, seed: number): Logs {
  const random = RandomStream.of(seed, 'test/shuffle');
  return Object.fromEntries(
    Object.entries(logs).map(([table, rows]) => [
      table,
      Array.from(random.permutation(rows.length), (i) => rows[i]!),
    ]),
  );
}
