import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { configOf, temporaryFolder } from '../../test/support/canonicalLogs.js';
import {
  complaintOf,
  ownTables,
  runLogs,
  writeOwnTables,
  type LogsRun,
} from '../../test/support/logsRuns.js';
import { canonicalTables, tableNames } from '../logs/tables.js';
import { runStage } from '../run/graph.js';
import { silentProgress } from '../run/progress.js';
import { stages } from './index.js';

const small = {
  kind: 'simulate',
  time_zone: '+05:30',
  users: 60,
  items: 200,
  days: 3,
  groups: 12,
  categories: 4,
};

describe('the logs stage', () => {
  let run: LogsRun;
  beforeAll(async () => {
    run = await runLogs(small);
  });

  it('writes every canonical table with its columns and types in order, and what is simulated besides', async () => {
    for (const table of tableNames) {
      const columns = await run.rows(`SELECT column_name, column_type FROM (DESCRIBE ${table})`);
      const expected = Object.entries(canonicalTables[table].columns).map(([name, { type }]) => ({
        column_name: name,
        column_type: type === 'TIMESTAMP_MS' ? 'TIMESTAMP' : type, // Parquet's unit is not part of the type here
      }));
      expect(columns.slice(0, expected.length), table).toEqual(expected);
    }
    expect(run.stage.outputs.map(({ path }) => path)).toEqual(
      [...tableNames, 'truth'].sort().map((table) => `logs/${table}/part-00000.parquet`),
    );
  });

  it('writes rows in the total order of the table', async () => {
    for (const table of tableNames) {
      const file = `FROM read_parquet('${run.path(table)}', file_row_number = true)`;
      const order = canonicalTables[table].order.map((column) => `"${column}" NULLS FIRST`).join(', ');
      const sorted = await run.rows(`SELECT * EXCLUDE (file_row_number) ${file} ORDER BY ${order}`);
      expect(
        await run.rows(`SELECT * EXCLUDE (file_row_number) ${file} ORDER BY file_row_number`),
        table,
      ).toEqual(sorted);
    }
  });

  it('says in every footer what the file holds', async () => {
    for (const table of [...tableNames, 'truth']) {
      const footer = await run.rows(
        `SELECT decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata('${run.path(table)}') ORDER BY key`,
      );
      expect(Object.fromEntries(footer.map(({ key, value }) => [key, value])), table).toEqual({
        schema_version: '1',
        stage_order:
          '{"corpus":0,"retrieved":1,"preranked1":2,"preranked":3,"ranked":4,"reranked":5,"exposed":6}',
        teacher_version: '',
        time_zone: '+05:30',
      });
    }
  });

  it('records rows and schema version of what it wrote', async () => {
    for (const { path, rows, schema_version } of run.stage.outputs) {
      expect(rows, path).toBe(await run.number(`SELECT count(*) FROM ${path.split('/')[1]!}`));
      expect(schema_version, path).toBe('1');
    }
  });

  it('tells what is in the logs', () => {
    expect(run.result.lines.join('\n')).toMatchInlineSnapshot(`
      "requests    177 on 3 days, 2024-01-01 to 2024-01-03 (UTC+05:30)
      candidates  8,499 by furthest stage: retrieved 4,248, preranked 2,124, ranked 708, exposed 1,419; 3 items forced in
                  by channel: popularity 4,987, interest 2,112, category 2,485
      feedback    1,419 exposures, click rate 31.36 %
      behaviours  3,264: click 1,845, exposure 1,419
      items       200
      users       60; 1 without behaviours before their first request"
    `);
    expect(run.result.data).toMatchInlineSnapshot(`
      {
        "behaviours_by_type": {
          "click": 1845,
          "exposure": 1419,
        },
        "candidates_by_channel": {
          "category": 2485,
          "interest": 2112,
          "popularity": 4987,
        },
        "candidates_by_stage": {
          "exposed": 1419,
          "preranked": 2124,
          "ranked": 708,
          "retrieved": 4248,
        },
        "candidates_forced": 3,
        "click_rate": 0.31360112755461594,
        "days": {
          "count": 3,
          "first": "2024-01-01",
          "last": "2024-01-03",
        },
        "duplicates_dropped": 0,
        "notes": [],
        "rows": {
          "behaviours": 3264,
          "candidates": 8499,
          "feedback": 1419,
          "items": 200,
          "requests": 177,
          "users": 60,
        },
        "simulated_lists": 0,
        "time_zone": "+05:30",
        "users_without_history": 1,
      }
    `);
  });

  it('writes nothing when a rule is broken', async () => {
    const logs = await writeOwnTables({ ...ownTables, feedback: { ...ownTables.feedback, rows: [] } });
    expect(await complaintOf(logs)).toContain('data.empty_table');
  });

  it('is skipped when nothing changed, and runs again when a raw file did', async () => {
    const folder = join(await temporaryFolder(), 'run');
    const logs = await writeOwnTables(ownTables);
    const run = { folder, config: configOf({ logs }), progress: silentProgress, stages };
    const definition = stages.find((stage) => stage.name === 'logs')!;
    const first = await runStage(run, definition, false);
    const again = await runStage(run, definition, false);
    expect(again).toMatchObject({ run: false, reason: 'nothing changed', result: first.result });
    const other = await writeOwnTables({
      ...ownTables,
      feedback: { ...ownTables.feedback, rows: ownTables.feedback.rows.slice(1) },
    });
    const moved = { ...run, config: configOf({ logs: other }) };
    expect(await runStage(moved, definition, false)).toMatchObject({
      run: true,
      reason: 'feedback.parquet changed',
    });
  });
});
