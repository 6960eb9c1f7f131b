import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { complaintOf, ownTables, runLogs, writeOwnTables } from '../../test/support/logsRuns.js';
import { Duckdb } from '../data/duckdb.js';

const { requests, candidates, feedback } = ownTables;

describe("the user's own tables", () => {
  it('fill in what may be left out: days, behaviours, items, users', async () => {
    const run = await runLogs({ ...(await writeOwnTables(ownTables)), time_zone: '+08:00' });
    expect(await run.rows('SELECT request_id, dt, scene, exploration FROM requests')).toEqual([
      { request_id: 1n, dt: '2024-01-01', scene: 0, exploration: false },
      { request_id: 2n, dt: '2024-01-03', scene: 0, exploration: false },
    ]);
    expect(await run.rows('SELECT dt, item_id, incl_prob, forced FROM candidates')).toEqual([
      { dt: '2024-01-01', item_id: 100n, incl_prob: 1, forced: false },
      { dt: '2024-01-01', item_id: 101n, incl_prob: 1, forced: false },
      { dt: '2024-01-03', item_id: 102n, incl_prob: 1, forced: false },
    ]);
    expect(
      await run.rows('SELECT user_id, item_id, event_type, event_ts, request_id FROM behaviours'),
    ).toEqual([
      { user_id: 7n, item_id: 100n, event_type: 1, event_ts: new Date('2024-01-01T12:00Z'), request_id: 1n },
      { user_id: 7n, item_id: 100n, event_type: 12, event_ts: new Date('2024-01-01T12:00Z'), request_id: 1n },
      { user_id: 8n, item_id: 102n, event_type: 12, event_ts: new Date('2024-01-02T23:00Z'), request_id: 2n },
    ]);
    expect(await run.rows('SELECT item_id FROM items')).toEqual([
      { item_id: 100n },
      { item_id: 101n },
      { item_id: 102n },
    ]);
    expect(await run.rows('SELECT user_id FROM users')).toEqual([{ user_id: 7n }, { user_id: 8n }]);
  });

  it('date a derived behaviour at the first event, where it is known', async () => {
    const at = Date.UTC(2024, 0, 1, 12, 5);
    const logs = await writeOwnTables({
      ...ownTables,
      feedback: {
        schema: { ...feedback.schema, first_event_ts: 'TIMESTAMP_MS' },
        rows: [{ request_id: 1, item_id: 100, click: 1, first_event_ts: at }],
      },
    });
    const run = await runLogs(logs);
    expect(await run.rows('SELECT event_ts FROM behaviours WHERE event_type = 1')).toEqual([
      { event_ts: new Date(at) },
    ]);
  });

  it('may have other names, other widths of integers and times as milliseconds', async () => {
    const logs = await writeOwnTables(
      {
        ...ownTables,
        requests: {
          schema: { rid: 'INTEGER', ms: 'BIGINT', uid: 'INTEGER', ctx_hour: 'BIGINT' },
          rows: [
            { rid: 1, ms: Date.UTC(2024, 0, 1, 12), uid: 7, ctx_hour: 12 },
            { rid: 2, ms: Date.UTC(2024, 0, 2, 23), uid: 8, ctx_hour: 23 },
          ],
        },
        candidates: {
          schema: { request_id: 'INTEGER', item_id: 'INTEGER', stage: 'BIGINT', shown: 'INTEGER' },
          rows: candidates.rows.map(({ request_id, item_id, stage_reached, exposed }) => ({
            request_id,
            item_id,
            stage: stage_reached,
            shown: exposed ? 1 : 0,
          })),
        },
        feedback: { schema: { ...feedback.schema, click: 'BIGINT' }, rows: feedback.rows },
      },
      {
        requests: { request_id: 'rid', request_ts: 'ms', user_id: 'uid' },
        candidates: { stage_reached: 'stage', exposed: 'shown' },
      },
    );
    const plain = await runLogs(await writeOwnTables(ownTables));
    const run = await runLogs(logs);
    for (const table of ['candidates', 'feedback', 'behaviours', 'items', 'users']) {
      expect(await readFile(run.path(table)), table).toEqual(await readFile(plain.path(table)));
    }
    expect(await run.rows('SELECT request_id, request_ts, user_id, ctx_hour FROM requests')).toEqual([
      { request_id: 1n, request_ts: new Date('2024-01-01T12:00Z'), user_id: 7n, ctx_hour: 12n },
      { request_id: 2n, request_ts: new Date('2024-01-02T23:00Z'), user_id: 8n, ctx_hour: 23n },
    ]);
  });

  it('keep attributes of items and users, and say which columns nobody reads', async () => {
    const logs = await writeOwnTables(
      {
        ...ownTables,
        requests: {
          schema: { ...requests.schema, ctx_hour: 'INTEGER', hour: 'INTEGER' },
          rows: requests.rows.map((row) => ({ ...row, ctx_hour: 1, hour: 2 })),
        },
        items: {
          schema: { item_id: 'BIGINT', kind: 'VARCHAR', tags: 'INTEGER[]' },
          rows: [100, 101, 102].map((item_id) => ({ item_id, kind: 'a', tags: [1, 2] })),
        },
      },
      { items: { category: 'kind' } },
    );
    const run = await runLogs(logs);
    expect(await run.rows('SELECT * EXCLUDE (publish_ts, valid_from, valid_to) FROM items LIMIT 1')).toEqual([
      { item_id: 100n, category: 'a', tags: [1, 2] },
    ]);
    expect(run.result.lines.filter((line) => line.startsWith('note'))).toEqual([
      'note        requests: not read: hour',
    ]);
    expect(
      await run.rows("SELECT column_name FROM (DESCRIBE requests) WHERE column_name LIKE '%hour'"),
    ).toEqual([{ column_name: 'ctx_hour' }]);
  });

  it('may come in many files, and the order of their rows changes nothing', async () => {
    const whole = await runLogs(await writeOwnTables(ownTables));
    const split = await writeOwnTables({
      'requests/b/2': { ...requests, rows: requests.rows.slice(0, 1) },
      'requests/1': { ...requests, rows: requests.rows.slice(1) },
      candidates: { ...candidates, rows: candidates.rows.toReversed() },
      feedback: { ...feedback, rows: feedback.rows.toReversed() },
    });
    for (const path of ['requests', 'requests/**/*.parquet', './r*/**/?.parquet']) {
      const run = await runLogs({
        kind: 'tables',
        source: split.source,
        requests: { path },
        candidates: { path: 'candidates.parquet' },
        feedback: { path: 'feedback*' },
      });
      for (const table of ['requests', 'candidates', 'feedback', 'behaviours', 'items', 'users']) {
        expect(await readFile(run.path(table)), table).toEqual(await readFile(whole.path(table)));
      }
    }
  });

  it('may lie in folders named after their day', async () => {
    const logs = await writeOwnTables({
      'requests/dt=2024-01-05/a': { ...requests, rows: requests.rows.slice(0, 1) },
      'requests/dt=2024-01-06/a': { ...requests, rows: requests.rows.slice(1) },
      candidates,
      feedback,
    });
    const run = await runLogs({
      kind: 'tables',
      source: logs.source,
      requests: { path: 'requests' },
      candidates: { path: 'candidates.parquet' },
      feedback: { path: 'feedback.parquet' },
    });
    expect(
      await run.rows('SELECT dt, request_id FROM candidates JOIN requests USING (request_id, dt)'),
    ).toEqual([
      { dt: '2024-01-05', request_id: 1n },
      { dt: '2024-01-05', request_id: 1n },
      { dt: '2024-01-06', request_id: 2n },
    ]);
  });

  it('accept unknown items when told to, and users that have no row', async () => {
    const items = {
      schema: { item_id: 'BIGINT', price: 'FLOAT' },
      rows: [{ item_id: 100, price: 2 }],
    } as const;
    const users = { schema: { user_id: 'BIGINT', age: 'INTEGER' }, rows: [{ user_id: 8, age: 30 }] } as const;
    const logs = await writeOwnTables({ ...ownTables, items, users });
    const run = await runLogs({ ...logs, unknown_items: 'accept' });
    expect(await run.rows('SELECT item_id, price FROM items')).toEqual([
      { item_id: 100n, price: 2 },
      { item_id: 101n, price: null },
      { item_id: 102n, price: null },
    ]);
    expect(await run.rows('SELECT user_id, age FROM users')).toEqual([
      { user_id: 7n, age: null },
      { user_id: 8n, age: 30 },
    ]);
  });

  it('record every file that was read', async () => {
    const run = await runLogs(await writeOwnTables(ownTables));
    expect(run.stage.inputs.map(({ path }) => path)).toEqual([
      'candidates.parquet',
      'feedback.parquet',
      'requests.parquet',
    ]);
  });
});

describe('what is wrong with the columns', () => {
  it('names what is missing, what may be meant, and how to map it; all tables at once', async () => {
    const logs = await writeOwnTables(
      {
        ...ownTables,
        requests: {
          schema: { request_id: 'BIGINT', request_tss: 'TIMESTAMP_MS', user_id: 'BIGINT' },
          rows: [],
        },
        feedback: { schema: { request_id: 'BIGINT', item: 'BIGINT' }, rows: [] },
      },
      { candidates: { expose_pos: 'place' } },
    );
    expect(await complaintOf(logs)).toMatchInlineSnapshot(`
      "error  data.missing_column  <folder>/requests.parquet  request_ts
             There is no column \`request_ts\`, which \`requests\` needs. The file has: request_id, request_tss, user_id. Is \`request_tss\` meant?
             Say which column it is in the config: logs.requests.columns: { request_ts: request_tss }.
      error  data.missing_column  <folder>/candidates.parquet  place
             There is no column \`place\`, which the config gives as expose_pos of \`candidates\`. The file has: request_id, item_id, stage_reached, exposed.
             Say which column it is in the config: logs.candidates.columns: { expose_pos: <your column> }.
      error  data.missing_column  <folder>/feedback.parquet  item_id
             There is no column \`item_id\`, which \`feedback\` needs. The file has: request_id, item.
             Say which column it is in the config: logs.feedback.columns: { item_id: <your column> }."
    `);
  });

  it('says which type is there, which is needed and how to cast', async () => {
    const logs = await writeOwnTables({
      requests: {
        schema: {
          request_id: 'VARCHAR',
          request_ts: 'DOUBLE',
          user_id: 'DOUBLE',
          session_id: 'TIMESTAMP_MS',
        },
        rows: [],
      },
      candidates: { ...candidates, schema: { ...candidates.schema, exposed: 'VARCHAR' } },
      feedback: { schema: { ...feedback.schema, first_event_ts: 'VARCHAR' }, rows: [] },
    });
    expect(await complaintOf(logs)).toMatchInlineSnapshot(`
      "error  data.wrong_type  <folder>/requests.parquet  request_id
             Column \`request_id\` is VARCHAR; request_id needs BIGINT.
             Number the texts, for example with dense_rank() OVER (ORDER BY request_id), the same way in every table.
      error  data.wrong_type  <folder>/requests.parquet  request_ts
             Column \`request_ts\` is DOUBLE; request_ts needs TIMESTAMP_MS.
             Write milliseconds since 1970 as BIGINT, or a timestamp: seconds become CAST(1000 * request_ts AS BIGINT).
      error  data.wrong_type  <folder>/requests.parquet  user_id
             Column \`user_id\` is DOUBLE; user_id needs BIGINT.
             Write it as BIGINT, for example with CAST(user_id AS BIGINT) in the query that makes the file.
      error  data.wrong_type  <folder>/requests.parquet  session_id
             Column \`session_id\` is TIMESTAMP; session_id needs BIGINT.
             Write it as BIGINT, for example with CAST(session_id AS BIGINT) in the query that makes the file.
      error  data.wrong_type  <folder>/candidates.parquet  exposed
             Column \`exposed\` is VARCHAR; exposed needs BOOLEAN.
             Write it as BOOLEAN, for example with CAST(exposed AS BOOLEAN) in the query that makes the file.
      error  data.wrong_type  <folder>/feedback.parquet  first_event_ts
             Column \`first_event_ts\` is VARCHAR; first_event_ts needs TIMESTAMP_MS.
             Write it as a timestamp, for example with CAST(first_event_ts AS TIMESTAMP), in UTC."
    `);
  });

  it('counts values that do not fit', async () => {
    const logs = await writeOwnTables({
      ...ownTables,
      requests: {
        schema: { request_id: 'BIGINT', request_ts: 'BIGINT', user_id: 'BIGINT' },
        rows: [{ request_id: 1, request_ts: 1_700_000_000_000_000_000n, user_id: 7 }],
      },
      candidates: {
        schema: {
          ...candidates.schema,
          stage_reached: 'BIGINT',
          exposed: 'INTEGER',
          retrieval_channels: 'BIGINT[]',
        },
        rows: [
          { request_id: 1, item_id: 100, stage_reached: 600, exposed: 1, retrieval_channels: [1, 70_000] },
          { request_id: 1, item_id: 101, stage_reached: 1, exposed: 2, retrieval_channels: [1, 2] },
        ],
      },
    });
    expect(await complaintOf(logs)).toMatchInlineSnapshot(`
      "error  data.out_of_range  <folder>/requests.parquet  request_ts
             1 value of \`request_ts\` cannot be request_ts of \`requests\`, which is TIMESTAMP_MS; for example 1700000000000000000.
             Numbers are milliseconds since 1970: microseconds and nanoseconds are too large.
      error  data.out_of_range  <folder>/candidates.parquet  stage_reached
             1 value of \`stage_reached\` cannot be stage_reached of \`candidates\`, which is TINYINT; for example 600.
             Mend these values, or the mapping of the column.
      error  data.out_of_range  <folder>/candidates.parquet  retrieval_channels
             1 value of \`retrieval_channels\` cannot be retrieval_channels of \`candidates\`, which is SMALLINT[]; for example [1, 70000].
             Mend these values, or the mapping of the column.
      error  data.out_of_range  <folder>/candidates.parquet  exposed
             1 value of \`exposed\` cannot be exposed of \`candidates\`, which is BOOLEAN; for example 2.
             Write it as BOOLEAN, or as 0 and 1."
    `);
  });

  it('refuses a mapping to a column that there is not', async () => {
    const logs = await writeOwnTables(ownTables, {
      feedback: { clicks: 'click' },
      requests: { age: 'user_id' },
    });
    expect(await complaintOf(logs)).toMatchInlineSnapshot(`
      "error  config.unknown_column  logs.requests.columns  age
             The canonical table \`requests\` has no column \`age\`.
             Its columns are dt, request_id, request_ts, user_id, session_id, scene, n_retrieved, n_preranked, n_ranked, n_exposed, retrieval_version, prerank_version, rank_version, rerank_version, exploration, and any named ctx_* and user_*.
      error  config.unknown_column  logs.feedback.columns  clicks
             The canonical table \`feedback\` has no column \`clicks\`. Did you mean \`click\`?
             Its columns are dt, request_id, item_id, click, long_view, like, follow, share, comment, buy, watch_ms, value, first_event_ts, label_ready_ts."
    `);
  });

  it('refuses files of different schemas', async () => {
    const logs = await writeOwnTables({
      ...ownTables,
      'many/a': feedback,
      'many/b': { schema: { ...feedback.schema, click: 'INTEGER', like: 'TINYINT' }, rows: [] },
    });
    const { source, requests, candidates } = logs;
    const own = { kind: 'tables', source, requests, candidates, feedback: { path: 'many' } };
    expect(await complaintOf(own)).toMatchInlineSnapshot(`
      "error  data.mixed_schema  <folder>/many/b.parquet  click, like
             The files of a table must have the same columns and types; this one differs from <folder>/many/a.parquet: click is INTEGER here and TINYINT there, like is TINYINT here and missing there.
             Write all files with one schema."
    `);
  });

  it('says where a file was looked for', async () => {
    const logs = await writeOwnTables(ownTables);
    expect(await complaintOf({ ...logs, requests: { path: 'request.parquet' } })).toMatchInlineSnapshot(`
      "error  data.missing_file  <folder>/request.parquet  logs.requests.path
             No Parquet file is there, or none matches.
             Give a file, a folder of *.parquet, or a glob such as folder/*.parquet; it is relative to \`logs.source\`."
    `);
    expect(await complaintOf({ ...logs, source: `${String(logs.source)}/none` })).toMatchInlineSnapshot(`
      "error  data.missing_folder  <folder>/none  logs.source
             There is no such folder.
             Mend \`logs.source\` in the config, or give it with --set logs.source=<folder>."
    `);
  });

  it('says that a file is cut off, or damaged in its middle', async () => {
    const cut = await writeOwnTables(ownTables);
    await truncate(join(String(cut.source), 'feedback.parquet'), 100);
    expect(await complaintOf(cut)).toContain('data.damaged_file  <folder>/feedback.parquet');

    const items = {
      schema: { item_id: 'BIGINT', name: 'VARCHAR' },
      rows: Array.from({ length: 2000 }, (_, i) => ({ item_id: i, name: `name ${i * i}` })),
    } as const;
    const damaged = await writeOwnTables({ ...ownTables, items });
    const path = join(String(damaged.source), 'items.parquet');
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0, 4, bytes.length / 2));
    expect(await complaintOf(damaged)).toContain('data.damaged_file  <folder>/items.parquet');
  });
});

it('reads timestamps of every unit and with a time zone', async () => {
  const logs = await writeOwnTables(ownTables);
  const path = join(String(logs.source), 'requests.parquet');
  const plain = await runLogs(logs);
  for (const type of ['TIMESTAMP_S', 'TIMESTAMP', 'TIMESTAMP_NS', 'TIMESTAMPTZ']) {
    const db = await Duckdb.open({ threads: 1, memoryLimit: '1GB', spillFolder: `${path}.spill` });
    await db.run(
      `COPY (SELECT request_id, CAST(make_timestamp(1000 * (1704110400000 + (request_id - 1) * 126000000)) AS ${type}) AS request_ts,
                    request_id + 6 AS user_id FROM range(1, 3) AS r(request_id)) TO '${path}' (FORMAT parquet)`,
    );
    await db.close();
    expect(await readFile((await runLogs(logs)).path('requests')), type).toEqual(
      await readFile(plain.path('requests')),
    );
  }
});
