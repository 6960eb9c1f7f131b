import { describe, expect, it } from 'vitest';
import { at, buildFrom, configOf, type Logs } from '../../test/support/canonicalLogs.js';
import {
  candidate,
  feedback,
  filesOf,
  messageOf,
  otherDays,
  request,
  sample,
  shown,
  together,
} from '../../test/support/logRows.js';
import { randomLogs } from '../../test/support/randomLogs.js';

describe('set A', () => {
  const config = configOf({ samples: { label: 'like' } });
  const base = together(otherDays, {
    requests: [request(1, at(1)), request(2, at(1, 1))],
    candidates: [shown(1, 1), shown(1, 2), candidate(1, 3), shown(2, 1)],
    feedback: [feedback(1, 2, { like: 1, click: 0 })],
  });

  it('takes its label from the column that the config names, and 0 where feedback is missing', async () => {
    const built = await buildFrom(base, config);
    expect(await sample(built, 'samples_a', 1)).toMatchObject({ item_ids: [1, 2], label: [0, 1] });
    expect(await sample(built, 'samples_a', 2)).toMatchObject({ item_ids: [1], label: [0] });
  });

  it('leaves out requests whose labels are not ready when the log ends, and requests without exposures', async () => {
    const late = at(3) + 1;
    const logs = together(base, {
      requests: [request(3, at(1)), request(4, at(1)), request(5, at(1))],
      candidates: [shown(3, 1), shown(3, 2), shown(4, 1), candidate(5, 1), candidate(5, 2)],
      feedback: [
        feedback(3, 1, { label_ready_ts: at(2) }),
        feedback(3, 2, { label_ready_ts: late }),
        feedback(4, 1, { label_ready_ts: at(3) }), // the log's end: ready
      ],
    });
    const built = await buildFrom(logs, config);
    const ids = await built.rows('samples_a', `SELECT request_id FROM t WHERE split = 'train' ORDER BY 1`);
    expect(ids.map((row) => Number(row.request_id))).toEqual([1, 2, 4]);
    expect(await sample(built, 'samples_b', 3)).toBeUndefined();
    expect(await sample(built, 'samples_b', 5)).toMatchObject({ item_ids: [1, 2], label: [0, 0] });
    expect(built.result.data).toMatchObject({ left_out: { requests: 7, not_ready: 1 } });
    expect(built.result.lines).toContain('left out of A: 1 requests without an exposure');
  });

  it('does not depend on what the models before the exposure did (11.6, property 8)', async () => {
    const logs = randomLogs(2);
    const other: Logs = {
      ...logs,
      candidates: logs.candidates!.flatMap((row) =>
        row.exposed ? [row] : row.item_id === 7 ? [] : [{ ...row, stage_reached: 2, incl_prob: 0.1 }],
      ),
    };
    const [first, second] = [await filesOf(await buildFrom(logs)), await filesOf(await buildFrom(other))];
    const same = (name: string) => first.get(name)?.equals(second.get(name)!);
    expect(same('samples_a/part-00000.parquet')).toBe(true);
    expect(same('encoded/a/part-00000.arrow')).toBe(true);
    expect(same('samples_b/part-00000.parquet')).toBe(false);
  });

  it('refuses more exposures of a request than the config allows, with the longest', async () => {
    const limited = configOf({ samples: { a: { max_candidates: 1 } } });
    expect(await messageOf(buildFrom(base, limited))).toMatchInlineSnapshot(`
      "error  data.too_many_exposures  logs/candidates  exposed
             1 requests have more than 1 exposures, the longest 2; the first is request 1.
             Set samples.a.max_candidates to 2, or check how exposures were joined to requests."
    `);
  });

  it('refuses a split of days that have requests and no exposures', async () => {
    const logs: Logs = { ...base, candidates: base.candidates!.filter((row) => row.request_id !== 90_002) };
    expect(await messageOf(buildFrom(logs))).toMatchInlineSnapshot(`
      "error  data.empty_split  samples.split  validation
             No request would be in validation. The log has requests with exposures: 2 in train, 0 in validation, 1 in test; the config asks for the last 1 for validation and 1 for test.
             Change \`samples.split\`, or give a log of more days."
    `);
  });
});
