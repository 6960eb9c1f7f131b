import { expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import type { ScalarColumn } from './columns.js';
import { Duckdb, sqlText } from './duckdb.js';

it('streams texts in runs: short, long, empty and null ones beside each other', async () => {
  const long = 'longer than twelve letters';
  const texts = [
    'a',
    'a',
    null,
    'a',
    'b',
    long,
    'b',
    long,
    long,
    '',
    '',
    null,
    '',
    'twelve chars',
    'twelve chars',
    'a',
  ];
  const rows = texts.map((text, i) => `(${i}, ${text === null ? 'NULL' : sqlText(text)})`);
  const folder = await temporaryFolder();
  const db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: `${folder}/spill` });
  const { columns } = await db.batch(`SELECT text FROM (VALUES ${rows.join(', ')}) t(i, text) ORDER BY i`);
  await db.close();
  const { values, nulls } = columns.text as ScalarColumn;
  expect((values as string[]).map((text, i) => (nulls?.[i] ? null : text))).toEqual(texts);
});
