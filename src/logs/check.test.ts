import { describe, expect, it } from 'vitest';
import { complaintOf, ownTables, runLogs, writeOwnTables } from '../../test/support/logsRuns.js';

const { requests, candidates, feedback } = ownTables;

/** What is said of the small log with other rows or columns in some tables. */
const complaint = async (tables: Parameters<typeof writeOwnTables>[0]) =>
  complaintOf(await writeOwnTables({ ...ownTables, ...tables }));

const withColumns = (
  table: (typeof ownTables)[keyof typeof ownTables],
  columns: object,
  ...rows: object[]
) => ({
  schema: { ...table.schema, ...columns },
  rows: table.rows.map((row, i) => ({ ...row, ...rows[i] })),
});

describe('canonical tables that break a rule', () => {
  it('have no rows', async () => {
    expect(await complaint({ feedback: { ...feedback, rows: [] } })).toMatchInlineSnapshot(`
      "error  data.empty_table  feedback
             The table \`feedback\` has no rows.
             Check the path in the config, and the query that wrote the file."
    `);
  });

  it('have a null id', async () => {
    const rows = [...requests.rows, { request_id: 3, request_ts: Date.UTC(2024, 0, 3), user_id: null }];
    expect(await complaint({ requests: { ...requests, rows } })).toMatchInlineSnapshot(`
      "error  data.null_id  requests  user_id
             1 row of \`requests\` without user_id; for example: request_id 3.
             Leave these rows out, or fill them in, in the query that makes the file."
    `);
  });

  it('have no value where one is needed', async () => {
    const rows = candidates.rows.map((row) => ({ ...row, stage_reached: null }));
    expect(await complaint({ candidates: { ...candidates, rows } })).toMatchInlineSnapshot(`
      "error  data.null_value  candidates  stage_reached
             3 rows of \`candidates\` without stage_reached; for example: request_id 1, item_id 100 / request_id 1, item_id 101 / request_id 2, item_id 102.
             Leave these rows out, or fill them in, in the query that makes the file."
    `);
  });

  it('have a request and an item twice, an item twice', async () => {
    const items = {
      schema: { item_id: 'BIGINT' },
      rows: [100, 101, 102, 100].map((item_id) => ({ item_id })),
    } as const;
    const rows = [...candidates.rows, candidates.rows[1]];
    expect(await complaint({ candidates: { ...candidates, rows }, items })).toMatchInlineSnapshot(`
      "error  data.duplicate_key  candidates  request_id, item_id
             1 key of \`candidates\` (request_id, item_id) on more than one row; for example: request_id 1, item_id 101, times 2.
             Keep one row per key (the furthest stage), for example with QUALIFY row_number() OVER (PARTITION BY request_id, item_id ORDER BY …) = 1.
      error  data.duplicate_key  items  item_id
             1 key of \`items\` (item_id) on more than one row; for example: item_id 100, times 2.
             Keep one row per key (the first), for example with QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY …) = 1."
    `);
  });

  it('have a request twice, and that is told of the requests alone', async () => {
    const rows = [...requests.rows, { ...requests.rows[0], user_id: 9 }];
    expect(await complaint({ requests: { ...requests, rows } })).toMatchInlineSnapshot(`
      "error  data.duplicate_key  requests  request_id
             1 key of \`requests\` (request_id) on more than one row; for example: request_id 1, times 2.
             Keep one row per key (the first), for example with QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY …) = 1."
    `);
  });

  it('have labels other than 0 and 1', async () => {
    const table = withColumns(feedback, { like: 'TINYINT' }, { click: 2, like: -1 }, { like: 0 });
    expect(await complaint({ feedback: table })).toMatchInlineSnapshot(`
      "error  data.bad_label  feedback  click
             1 row of \`feedback\` with a click that is neither 0 nor 1; for example: request_id 1, item_id 100, click 2.
             Write 1 for "it happened within the attribution window" and 0 otherwise; amounts go to \`value\`.
      error  data.bad_label  feedback  like
             1 row of \`feedback\` with a like that is neither 0 nor 1; for example: request_id 1, item_id 100, like -1.
             Write 1 for "it happened within the attribution window" and 0 otherwise; amounts go to \`value\`."
    `);
  });

  it('have feedback on what was not shown, and rows of requests that are not logged', async () => {
    const rows = [
      ...feedback.rows,
      { request_id: 1, item_id: 101, click: 0 },
      { request_id: 99, item_id: 100, click: 0 },
    ];
    expect(await complaint({ feedback: { ...feedback, rows } })).toMatchInlineSnapshot(`
      "error  data.unknown_request  feedback  request_id
             1 row of \`feedback\` without a row in \`requests\`; for example: request_id 99, item_id 100.
             Write both tables from the same days; keep rows only of requests that are logged.
      error  data.not_exposed  feedback  item_id
             2 rows of \`feedback\` about an item that \`candidates\` does not know as exposed; for example: request_id 1, item_id 101 / request_id 99, item_id 100.
             Only what was shown has feedback: add the exposure to \`candidates\`, or leave the row out."
    `);
  });

  it('have stages and exposures that do not go together', async () => {
    const table = withColumns(
      candidates,
      { forced: 'BOOLEAN' },
      { stage_reached: 7, forced: false },
      { stage_reached: 6, forced: false },
      { stage_reached: 0, forced: true }, // a forced item may be exposed from outside the funnel
    );
    expect(await complaint({ candidates: table })).toMatchInlineSnapshot(`
      "error  data.bad_stage  candidates  stage_reached
             1 row of \`candidates\` with a stage_reached outside of 0..6; for example: request_id 1, item_id 100, stage_reached 7.
             Stages are 0 corpus, 1 retrieved, 2 preranked1, 3 preranked, 4 ranked, 5 reranked, 6 exposed.
      error  data.stage_mismatch  candidates  exposed
             2 rows of \`candidates\` not forced, with exposed and stage_reached at odds; for example: request_id 1, item_id 100, stage_reached 7, exposed true / request_id 1, item_id 101, stage_reached 6, exposed false.
             stage_reached 6 means exposed; only an item that a rule forced in (forced) is exposed from any stage."
    `);
  });

  it('have probabilities that are none', async () => {
    const table = withColumns(
      candidates,
      { incl_prob: 'FLOAT' },
      { incl_prob: 0 },
      { incl_prob: NaN },
      { incl_prob: 1 },
    );
    expect(await complaint({ candidates: table })).toMatchInlineSnapshot(`
      "error  data.bad_incl_prob  candidates  incl_prob
             2 rows of \`candidates\` with an incl_prob outside of (0, 1]; for example: request_id 1, item_id 100, incl_prob 0 / request_id 1, item_id 101, incl_prob NaN.
             It is the probability that log sampling kept this row: 1 where everything is kept."
    `);
  });

  it('have items that nobody knows, or that end before they begin', async () => {
    const items = {
      schema: { item_id: 'BIGINT', valid_from: 'TIMESTAMP_MS', valid_to: 'TIMESTAMP_MS' },
      rows: [{ item_id: 100, valid_from: 1, valid_to: 1 }, { item_id: 101 }],
    } as const;
    expect(await complaint({ items })).toMatchInlineSnapshot(`
      "error  data.bad_validity  items  valid_to
             1 row of \`items\` with valid_from at or after valid_to: such an item is never there; for example: item_id 100, valid_from 1970-01-01T00:00:00.001Z, valid_to 1970-01-01T00:00:00.001Z.
             valid_to is the first moment at which the item is gone; null = it never is.
      error  data.unknown_item  candidates  item_id
             1 item of \`candidates\` that \`items\` does not know; for example: item_id 102, candidates 1.
             Add them to \`items\`, or set logs.unknown_items: accept, and their attributes count as unknown."
    `);
  });

  it('have seconds for milliseconds, or days that are none', async () => {
    const table = {
      schema: { dt: 'VARCHAR', request_id: 'BIGINT', request_ts: 'BIGINT', user_id: 'BIGINT' },
      rows: [
        { dt: '20240101', request_id: 1, request_ts: 1704110400, user_id: 7 },
        { dt: '2024-01-02', request_id: 2, request_ts: 1704236400, user_id: 8 },
      ],
    } as const;
    expect(await complaint({ requests: table })).toMatchInlineSnapshot(`
      "error  data.bad_time  requests  request_ts
             2 rows of \`requests\` with request_ts outside of 1990 to 2100; for example: request_id 1, request_ts 1970-01-20T17:21:50.400Z / request_id 2, request_ts 1970-01-20T17:23:56.400Z.
             Times are in UTC, numbers are milliseconds since 1970: seconds need 1000 * request_ts.
      error  data.bad_time  behaviours  event_ts
             3 rows of \`behaviours\` with event_ts outside of 1990 to 2100; for example: user_id 7, item_id 100, event_ts 1970-01-20T17:21:50.400Z / user_id 7, item_id 100, event_ts 1970-01-20T17:21:50.400Z / user_id 8, item_id 102, event_ts 1970-01-20T17:23:56.400Z.
             Times are in UTC, numbers are milliseconds since 1970: seconds need 1000 * event_ts.
      error  data.bad_day  requests  dt
             1 row of \`requests\` with a dt that is no day like 2022-05-06; for example: request_id 1, dt 20240101.
             Write days as YYYY-MM-DD, or leave \`dt\` out: it then comes from request_ts."
    `);
  });

  it('have events of no known type', async () => {
    const behaviours = {
      schema: { user_id: 'BIGINT', item_id: 'BIGINT', event_ts: 'TIMESTAMP_MS', event_type: 'SMALLINT' },
      rows: [{ user_id: 7, item_id: 100, event_ts: Date.UTC(2024, 0, 1), event_type: 99 }],
    } as const;
    expect(await complaint({ behaviours })).toMatchInlineSnapshot(`
      "error  data.bad_event_type  behaviours  event_type
             1 event type of \`behaviours\` that is not known; for example: event_type 99, times 1.
             Types are 1 click, 2 long_view, 3 like, 4 follow, 5 comment, 6 share, 7 hate, 8 page_view, 9 cart, 10 favourite, 11 buy, 12 exposure, 13 rating."
    `);
  });
});

describe('what is allowed and worth a note', () => {
  it('is a request without candidates, and a behaviour of an unknown item', async () => {
    const rows = [...requests.rows, { request_id: 3, request_ts: Date.UTC(2024, 0, 3), user_id: 9 }];
    const run = await runLogs(
      await writeOwnTables({
        ...ownTables,
        requests: { ...requests, rows },
        items: { schema: { item_id: 'BIGINT' }, rows: [100, 101, 102].map((item_id) => ({ item_id })) },
        behaviours: {
          schema: { user_id: 'BIGINT', item_id: 'BIGINT', event_ts: 'TIMESTAMP_MS', event_type: 'SMALLINT' },
          rows: [
            { user_id: 7, item_id: 5, event_ts: Date.UTC(2024, 0, 1), event_type: 1 },
            { user_id: 8, item_id: 100, event_ts: Date.UTC(2024, 0, 2, 23), event_type: 1 }, // not before the request
          ],
        },
      }),
    );
    expect(run.result.lines.join('\n')).toMatchInlineSnapshot(`
      "requests    3 on 3 days, 2024-01-01 to 2024-01-03 (UTC+00:00)
      candidates  3 by furthest stage: retrieved 1, exposed 2
                  by channel: none
      feedback    2 exposures, click rate 50.00 %
      behaviours  2: click 2
      items       3
      users       3; 2 without behaviours before their first request
      note        1 request without candidates: no sample is made of them
      note        1 behaviour of items that \`items\` does not know: their features count as unknown"
    `);
    expect(run.result.data).toMatchObject({ users_without_history: 2 });
  });

  it('is a log without behaviours: all users are cold', async () => {
    const behaviours = {
      schema: { user_id: 'BIGINT', item_id: 'BIGINT', event_ts: 'TIMESTAMP_MS', event_type: 'SMALLINT' },
      rows: [],
    } as const;
    const run = await runLogs(await writeOwnTables({ ...ownTables, behaviours }));
    expect(run.result.data).toMatchObject({ users_without_history: 2, rows: { behaviours: 0 } });
  });
});
