/** Tables that a user wrote with parquetjs-lite are read as they are (storage.md, section 9: it is no reader or writer of ours). */
import { createRequire } from 'node:module';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Duckdb } from '../src/data/duckdb.js';
import { newFolder, program } from './support/program.js';

/** What the package has no types for, as far as it is used here. */
interface Parquetjs {
  readonly ParquetSchema: new (
    fields: Readonly<Record<string, { type: string; optional?: boolean }>>,
  ) => unknown;
  readonly ParquetWriter: {
    openFile(
      schema: unknown,
      path: string,
    ): Promise<{ appendRow(row: object): Promise<void>; close(): Promise<void> }>;
  };
}
const parquetjs = createRequire(import.meta.url)('parquetjs-lite') as Parquetjs;

it('reads requests, candidates and feedback that parquetjs-lite wrote', async () => {
  const folder = newFolder('parquetjs');
  const write = async (table: string, types: Readonly<Record<string, string>>, rows: readonly object[]) => {
    mkdirSync(join(folder, table));
    const schema = new parquetjs.ParquetSchema(
      Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }])),
    );
    const writer = await parquetjs.ParquetWriter.openFile(schema, join(folder, table, 'rows.parquet'));
    for (const row of rows) await writer.appendRow(row);
    await writer.close();
  };
  const ids = Array.from({ length: 40 }, (_, i) => i + 1);
  const start = Date.UTC(2024, 0, 1);
  const ofRequest = { request_id: 'INT64', item_id: 'INT64' };
  await write(
    'requests',
    { request_id: 'INT64', request_ts: 'INT64', user_id: 'INT64' },
    ids.map((id) => ({ request_id: id, request_ts: start + id * 3_600_000, user_id: id % 7 })),
  );
  await write(
    'candidates',
    { ...ofRequest, stage_reached: 'INT32', exposed: 'BOOLEAN' },
    ids.flatMap((id) =>
      [0, 1].map((shown) => ({
        request_id: id,
        item_id: 1000 + ((id * 3 + shown) % 11),
        stage_reached: shown ? 6 : 1,
        exposed: shown === 1,
      })),
    ),
  );
  await write(
    'feedback',
    { ...ofRequest, click: 'INT32' },
    ids.map((id) => ({ request_id: id, item_id: 1000 + ((id * 3 + 1) % 11), click: id % 3 === 0 ? 1 : 0 })),
  );

  const config = join(folder, 'pipeline.yaml');
  writeFileSync(
    config,
    `logs:
  kind: tables
  source: .
  requests: { path: requests }
  candidates: { path: candidates }
  feedback: { path: feedback }
features:
  user: [{ name: user, kind: id, column: users.user_id }]
  item: [{ name: item, kind: id, column: items.item_id }]
  sequence: [item]
`,
  );
  const run = join(folder, 'run');
  const { code, err } = await program(['logs', '--config', config, '--run', run]);
  expect(code, err).toBe(0);
  const db = await Duckdb.open({ threads: 1, memoryLimit: '256MB', spillFolder: join(folder, 'spill') });
  expect(await db.number(`SELECT count(*) FROM read_parquet('${run}/logs/candidates/*.parquet')`)).toBe(80);
  expect(await db.number(`SELECT sum(click) FROM read_parquet('${run}/logs/feedback/*.parquet')`)).toBe(13);
  expect(
    await db.number(`SELECT max(epoch_ms(request_ts)) FROM read_parquet('${run}/logs/requests/*.parquet')`),
  ).toBe(start + 40 * 3_600_000);
  await db.close();
});
