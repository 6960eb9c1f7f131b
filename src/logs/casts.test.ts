import { expect, it } from 'vitest';
import type { ColumnType } from '../data/columns.js';
import { attributeType, castTo } from './casts.js';

it('a narrower integer is read as it is, a wider one is checked', () => {
  const isChecked = (needed: ColumnType, found: string) => castTo(needed, found)?.misfit !== undefined;
  expect(isChecked('BIGINT', 'INTEGER')).toBe(false);
  expect(isChecked('BIGINT', 'UINTEGER')).toBe(false);
  expect(isChecked('BIGINT', 'UBIGINT')).toBe(true);
  expect(isChecked('TINYINT', 'UTINYINT')).toBe(true);
  expect(isChecked('TINYINT', 'BIGINT')).toBe(true);
  expect(isChecked('SMALLINT[]', 'BIGINT[]')).toBe(true);
  expect(isChecked('SMALLINT[]', 'TINYINT[]')).toBe(false);
});

it('numbers with fractions are no ids, counts or labels, and texts are no numbers', () => {
  for (const type of ['BIGINT', 'INTEGER', 'TINYINT', 'BOOLEAN', 'TIMESTAMP_MS', 'SMALLINT[]'] as const) {
    expect(castTo(type, 'DOUBLE'), type).toBeNull();
    expect(castTo(type, 'VARCHAR'), type).toBeNull();
  }
  expect(castTo('FLOAT', 'DECIMAL(18,3)')).not.toBeNull();
  expect(castTo('FLOAT', 'VARCHAR')).toBeNull();
  expect(castTo('SMALLINT[]', 'SMALLINT')).toBeNull();
});

it('a time is a timestamp or milliseconds; a day alone or an INTEGER cannot be one', () => {
  for (const type of ['TIMESTAMP', 'TIMESTAMP_NS', 'TIMESTAMP WITH TIME ZONE', 'BIGINT']) {
    expect(castTo('TIMESTAMP_MS', type), type).not.toBeNull();
  }
  for (const type of ['DATE', 'INTEGER', 'TIME']) expect(castTo('TIMESTAMP_MS', type), type).toBeNull();
});

it('attributes keep a type that our tables can hold', () => {
  const types = [
    'UTINYINT',
    'UBIGINT',
    'DECIMAL(9,2)',
    'DATE',
    'UUID',
    "ENUM('a', 'b')",
    'TIMESTAMP_NS',
    'INTEGER[]',
    'STRUCT(a INTEGER)',
    'INTEGER[][]',
    'BLOB',
  ];
  expect(Object.fromEntries(types.map((type) => [type, attributeType(type)]))).toMatchInlineSnapshot(`
    {
      "BLOB": null,
      "DATE": "VARCHAR",
      "DECIMAL(9,2)": "DOUBLE",
      "ENUM('a', 'b')": "VARCHAR",
      "INTEGER[]": "INTEGER[]",
      "INTEGER[][]": null,
      "STRUCT(a INTEGER)": null,
      "TIMESTAMP_NS": "TIMESTAMP_MS",
      "UBIGINT": null,
      "UTINYINT": "SMALLINT",
      "UUID": "VARCHAR",
    }
  `);
});
