/** Fitting and encoding, on relations made by SQL: `training_count` says how often a row counts in training. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configOf, temporaryFolder } from '../../test/support/canonicalLogs.js';
import { describeError } from '../errors.js';
import { columnsOf } from './columns.js';
import { Duckdb } from './duckdb.js';
import { Encoder } from './encode.js';
import { featureSelect, inputSchema } from './featureColumns.js';
import { featuresOf, parseTransform, transformText, type FeatureSource } from './features.js';
import { fitTransform, type Fitted } from './fit.js';
import { readVocabularies, writeVocabularies } from './vocabulary.js';

type FeatureSettings = Readonly<Record<string, unknown>>;

let db: Duckdb;
beforeAll(async () => {
  db = await Duckdb.open({ threads: 1, memoryLimit: '512MB', spillFolder: '/nonexistent' });
});
afterAll(() => db.close());

const relations = { users: 'users', requests: 'requests', items: 'items' };

/** One relation per source from VALUES; sources that are not given have one row with an id. */
async function relate(given: Partial<Record<FeatureSource, string>>): Promise<void> {
  for (const source of ['users', 'requests', 'items'] as const) {
    const query = given[source] ?? `SELECT 1 AS ${source.slice(0, -1)}_id, 1 AS training_count`;
    await db.run(`CREATE OR REPLACE TABLE ${source} AS ${query}`);
  }
}

/** Fits item features; the user side is the user's id. */
async function fitItems(item: readonly FeatureSettings[], minCount = 1): Promise<Fitted> {
  const { features, samples } = configOf({
    features: {
      user: [{ name: 'user', kind: 'id', column: 'users.user_id' }],
      item,
      min_count: minCount,
    },
  });
  return fitTransform(db, features, samples.sequence, relations);
}

/** Slots and numbers of the item features of all items, one array per item. */
async function encodeItems({ transform, vocabularies }: Fitted) {
  const select = featureSelect(featuresOf(transform, 'items'));
  const batch = await db.batch(`SELECT ${select} FROM items ORDER BY item_id`);
  const { slots, numbers } = new Encoder(transform, vocabularies).encode('items', batch);
  const rowsOf = (values: Int32Array | Float32Array, width: number) =>
    Array.from({ length: batch.rows }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);
  return { slots: rowsOf(slots, transform.slots.items), numbers: rowsOf(numbers, transform.numbers.items) };
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: unknown) => describeError(error),
  );
}

/** First row of the item features: behind the user's rows, out of vocabulary and one value. */
const first = 2;

describe('a vocabulary', () => {
  const colours = `
    SELECT * FROM (VALUES (1, 'red', 2), (2, 'blue', 3), (3, 'green', 2), (4, 'rare', 1), (5, 'unseen', 0), (6, NULL, 1))
    AS t(item_id, colour, training_count)`;
  const colour = { name: 'colour', kind: 'id', column: 'items.colour' };

  it('has rows by count, then value; rare, unseen and null values have theirs', async () => {
    await relate({ items: colours });
    const fitted = await fitItems([colour], 2);
    expect(fitted.vocabularies.get('colour')).toEqual({
      values: ['blue', 'green', 'red'],
      counts: [3, 2, 2],
    });
    const { slots } = await encodeItems(fitted);
    const { firstRow } = fitted.transform.features[1]!;
    // 0 = out of vocabulary, 1 = null, then blue, green, red
    expect(slots.map(([row]) => row! - firstRow)).toEqual([4, 2, 3, 0, 0, 1]);
    expect(fitted.fits[1]).toEqual({ name: 'colour', rows: 5, nullShare: 1 / 9 });
  });

  it('counts nulls as out of vocabulary where the config says so', async () => {
    await relate({ items: colours });
    const fitted = await fitItems([{ ...colour, nulls: 'out_of_vocabulary' }]);
    const { slots } = await encodeItems(fitted);
    expect(slots.map(([row]) => row! - first)).toEqual([3, 1, 2, 4, 0, 0]);
  });

  it('has no row for nulls when training has none: a later null is out of vocabulary', async () => {
    await relate({
      items: `SELECT * FROM (VALUES (1, 'red', 1), (2, NULL, 0)) AS t(item_id, colour, training_count)`,
    });
    const fitted = await fitItems([colour]);
    expect(fitted.transform.features[1]).toMatchObject({ rows: 2, nulls: 'out_of_vocabulary' });
    expect((await encodeItems(fitted)).slots.map(([row]) => row! - first)).toEqual([1, 0]);
  });

  it('keeps its rows when it is written and read', async () => {
    await relate({ items: colours });
    const { transform, vocabularies } = await fitItems([colour]);
    const path = join(await temporaryFolder(), 'vocabulary.parquet');
    expect(await writeVocabularies(db, transform, vocabularies, path, {})).toBe(5);
    expect(await readVocabularies(db, transform, [path])).toEqual(vocabularies);
    const rows = await db.rows(`SELECT * FROM '${path}' WHERE feature = 'colour' ORDER BY row LIMIT 1`);
    expect(rows).toEqual([{ feature: 'colour', value: 'blue', row: first + 2, count: 3n }]);
  });

  it('gives back every value that it knows, whatever the values and counts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        async (values, minCount) => {
          const rows = values.map((value, i) => ({ item_id: i, colour: value, training_count: i % 4 }));
          await relate({ items: `SELECT 1 AS item_id, '' AS colour, 1 AS training_count WHERE FALSE` });
          const texts = rows.map(
            (row) => `(${row.item_id}, '${row.colour.replaceAll("'", "''")}', ${row.training_count})`,
          );
          await db.run(`INSERT INTO items VALUES ${texts.join(', ')}`);
          const fitted = await fitItems([colour], minCount);
          const batch = columnsOf(inputSchema(featuresOf(fitted.transform, 'items')), rows);
          const { slots } = new Encoder(fitted.transform, fitted.vocabularies).encode('items', batch);
          const known = fitted.vocabularies.get('colour')!.values;
          rows.forEach((row, i) => {
            const local = slots[i]! - fitted.transform.features[1]!.firstRow;
            if (row.training_count >= minCount) expect(known[local - 1]).toBe(row.colour);
            else expect(local).toBe(0);
          });
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('the other kinds', () => {
  it('buckets: a value equal to a boundary falls into the bucket after it; NaN is null', async () => {
    await relate({
      items: `SELECT * FROM (VALUES (1, -5e0, 1), (2, 0e0, 1), (3, 9.99e0, 1), (4, 10e0, 1), (5, NULL, 1), (6, 'nan'::DOUBLE, 1))
              AS t(item_id, price, training_count)`,
    });
    const fitted = await fitItems([
      { name: 'price', kind: 'bucketised', column: 'items.price', boundaries: [0, 10] },
    ]);
    // 1 = null, 2 = below 0, 3 = from 0, 4 = from 10
    expect((await encodeItems(fitted)).slots.map(([row]) => row! - first)).toEqual([2, 3, 3, 4, 1, 1]);
    expect(fitted.transform.rows).toBe(first + 5);
  });

  it('hashes: the first 48 bits of md5 modulo the buckets', async () => {
    await relate({ items: `SELECT range AS item_id, 1 AS training_count FROM range(50)` });
    const fitted = await fitItems([{ name: 'id', kind: 'hashed', column: 'items.item_id', buckets: 7 }]);
    const expected = Array.from({ length: 50 }, (_, i) => {
      const hex = createHash('md5').update(String(i)).digest('hex').slice(0, 12);
      return first + 1 + Number(BigInt(`0x${hex}`) % 7n);
    });
    expect((await encodeItems(fitted)).slots.flat()).toEqual(expected);
    expect(new Set(expected).size).toBe(7);
  });

  it('numbers: standardised by training rows alone; a null is the mean with its indicator set', async () => {
    await relate({
      items: `SELECT * FROM (VALUES (1, 1, 1), (2, 3, 3), (3, 1000, 0), (4, NULL, 5)) AS t(item_id, age, training_count)`,
    });
    const fitted = await fitItems([{ name: 'age', kind: 'numeric', column: 'items.age' }]);
    // mean of 1, 3, 3, 3 = 2.5, variance = (2.25 + 3 x .25) / 4 = .75
    const deviation = Math.sqrt(0.75);
    expect(fitted.transform.features[1]).toMatchObject({ mean: 2.5, rows: 0, slots: 0, numbers: 2 });
    const expected = [
      [-1.5 / deviation, 0],
      [0.5 / deviation, 0],
      [997.5 / deviation, 0],
      [0, 1],
    ];
    const { numbers } = await encodeItems(fitted);
    numbers.forEach((pair, i) => {
      expect(pair[0]).toBeCloseTo(expected[i]![0]!, 3);
      expect(pair[1]).toBe(expected[i]![1]);
    });
  });

  it('numbers: log(1 + x), and deviation 1 for a constant', async () => {
    await relate({
      items: `SELECT * FROM (VALUES (1, 0, 7, 1), (2, 1, 7, 1)) AS t(item_id, plays, same, training_count)`,
    });
    const fitted = await fitItems([
      { name: 'plays', kind: 'numeric', column: 'items.plays', transform: 'log1p' },
      { name: 'same', kind: 'numeric', column: 'items.same' },
    ]);
    const { numbers } = await encodeItems(fitted);
    expect(numbers[0]).toEqual([-1, 0, 0, 0]);
    expect(numbers[1]).toEqual([1, 0, 0, 0]);
  });

  it('lists: the first values, a null list is one null, an empty one uses no slot, null elements are passed over', async () => {
    await relate({
      items: `SELECT * FROM (VALUES (1, ['a', 'b', 'c'], 2), (2, ['b', NULL, 'z'], 1), (3, CAST([] AS VARCHAR[]), 1), (4, NULL, 1),
              (5, ['unseen'], 0)) AS t(item_id, tags, training_count)`,
    });
    const fitted = await fitItems([
      { name: 'tags', kind: 'multi_valued', column: 'items.tags', max_values: 2 },
    ]);
    // 'c' is beyond max_values and never counted
    expect(fitted.vocabularies.get('tags')).toEqual({ values: ['b', 'a', 'z'], counts: [3, 2, 1] });
    const [b, a, z] = [2, 3, 4];
    const local = (await encodeItems(fitted)).slots.map((row) =>
      row.map((slot) => (slot < 0 ? -1 : slot - first)),
    );
    expect(local).toEqual([
      [a, b],
      [b, z],
      [-1, -1],
      [1, -1],
      [0, -1],
    ]);
  });

  it('crosses: values that hold the separator stay apart; a null in any column is a null', async () => {
    await relate({
      items: `SELECT * FROM (VALUES (1, 'a|b', 'c', 1), (2, 'a', 'b|c', 1), (3, 'a', NULL, 1), (4, 'a\\', 'b', 1), (5, 'a', '\\b', 1))
              AS t(item_id, x, y, training_count)`,
    });
    const fitted = await fitItems([{ name: 'xy', kind: 'cross', columns: ['items.x', 'items.y'] }]);
    const { slots } = await encodeItems(fitted);
    expect(new Set(slots.flat()).size).toBe(5);
    expect(slots[2]).toEqual([first + 1]);
  });

  it('have rows, slots and numbers of their own, in the order user, context, item', async () => {
    await relate({
      users: `SELECT 1 AS user_id, 20 AS age, 1 AS training_count`,
      requests: `SELECT 1 AS request_id, 3 AS scene, 12 AS ctx_hour, 1 AS training_count`,
      items: `SELECT 1 AS item_id, 'a' AS tag, 1.5e0 AS price, 1 AS training_count`,
    });
    const { features, samples } = configOf({
      features: {
        user: [
          { name: 'user', kind: 'id', column: 'users.user_id' },
          { name: 'age', kind: 'numeric', column: 'users.age' },
          { name: 'home', kind: 'id', column: 'requests.scene' },
        ],
        context: [{ name: 'hour', kind: 'hashed', column: 'requests.ctx_hour', buckets: 4 }],
        item: [
          { name: 'item', kind: 'id', column: 'items.item_id' },
          { name: 'tag', kind: 'id', column: 'items.tag' },
        ],
        min_count: 1,
      },
    });
    const { transform } = await fitTransform(db, features, samples.sequence, relations);
    const places = transform.features.map((f) => [
      f.name,
      f.side,
      f.source,
      f.firstRow,
      f.rows,
      f.slot,
      f.number,
    ]);
    expect(places).toEqual([
      ['user', 'user', 'users', 0, 2, 0, 0],
      ['age', 'user', 'users', 2, 0, 1, 0],
      ['home', 'user', 'requests', 2, 2, 0, 0],
      ['hour', 'context', 'requests', 4, 5, 1, 0],
      ['item', 'item', 'items', 9, 2, 0, 0],
      ['tag', 'item', 'items', 11, 2, 1, 0],
    ]);
    expect(transform).toMatchObject({
      rows: 13,
      slots: { users: 1, requests: 2, items: 2 },
      numbers: { users: 2, requests: 0, items: 0 },
    });
  });
});

describe('transform.json', () => {
  it('holds all that is needed to encode, in snake_case', async () => {
    await relate({ items: `SELECT 1 AS item_id, 2e0 AS price, 1 AS training_count` });
    const { transform } = await fitItems([
      { name: 'price', kind: 'bucketised', column: 'items.price', boundaries: [0.1, 1e-7] },
    ]);
    const text = transformText(transform);
    expect(text).toContain('"first_row"');
    expect(text).not.toMatch(/"[a-z]+[A-Z]/);
    expect(parseTransform(text, 'transform.json')).toEqual(transform);
  });

  it('of another version is refused', () => {
    const read = Promise.resolve().then(() => parseTransform('{"version": 2}', 'transform.json'));
    return expect(messageOf(read)).resolves.toMatchInlineSnapshot(`
      "error  data.other_version  transform.json  version
             This is not a feature transform of version 1, which this version of cascade reads.
             Use the version of cascade that wrote it, or run \`cascade samples --force\` to fit it anew."
    `);
  });
});

describe('what cannot be a feature', () => {
  it('more rows than 31 bits can tell', async () => {
    await relate({ items: 'SELECT 1 AS item_id, 1 AS training_count' });
    const hashed = (name: string) =>
      ({ name, kind: 'hashed', column: 'items.item_id', buckets: 1_500_000_000 }) as const;
    expect(await messageOf(fitItems([hashed('first'), hashed('second')]))).toMatchInlineSnapshot(`
      "error  data.too_many_rows  features  second
             With this feature the embedding table has 3000000004 rows; there can be 2147483647.
             Give hashed features fewer buckets, or raise features.min_count."
    `);
  });

  it('is told of all at once: missing columns with the nearest name, columns of the wrong type', async () => {
    await relate({
      items: `SELECT 1 AS item_id, 'a' AS author_id, 1e0 AS price, ['a'] AS tags, 1 AS training_count`,
    });
    const fitted = fitItems([
      { name: 'author', kind: 'id', column: 'items.author_ids' },
      { name: 'nothing', kind: 'id', column: 'items.zzzzzzzz' },
      { name: 'price', kind: 'id', column: 'items.price' },
      { name: 'amount', kind: 'numeric', column: 'items.author_id' },
      { name: 'tag', kind: 'multi_valued', column: 'items.author_id' },
      { name: 'tags', kind: 'id', column: 'items.tags' },
    ]);
    expect(await messageOf(fitted)).toMatchInlineSnapshot(`
      "error  data.missing_column  logs/items  author_ids
             Feature \`author\` reads \`items.author_ids\`, but the table has: item_id, author_id, price, tags.
             Did you mean \`items.author_id\`? Change the feature's column, or add it to the table.
      error  data.missing_column  logs/items  zzzzzzzz
             Feature \`nothing\` reads \`items.zzzzzzzz\`, but the table has: item_id, author_id, price, tags.
             Change the feature's column, or add it to the table.
      error  data.wrong_type  logs/items  price
             Feature \`price\` is id and reads \`items.price\`, which is DOUBLE; it needs a whole number, text, a boolean or a day.
             Make the feature \`numeric\` or \`bucketised\`, or cast the column in the table.
      error  data.wrong_type  logs/items  author_id
             Feature \`amount\` is numeric and reads \`items.author_id\`, which is VARCHAR; it needs a number.
             Give the feature another kind or another column, or cast the column in the table.
      error  data.wrong_type  logs/items  author_id
             Feature \`tag\` is multi_valued and reads \`items.author_id\`, which is VARCHAR; it needs a list of whole numbers or texts.
             Give the feature another kind or another column, or cast the column in the table.
      error  data.wrong_type  logs/items  tags
             Feature \`tags\` is id and reads \`items.tags\`, which is VARCHAR[]; it needs a whole number, text, a boolean or a day.
             Give the feature another kind or another column, or cast the column in the table."
    `);
  });

  it('is a null where the config says `error`, also outside of training', async () => {
    await relate({
      items: `SELECT * FROM (VALUES (1, 'a', 1, 1), (2, NULL, NULL, 0)) AS t(item_id, tag, age, training_count)`,
    });
    const fitted = fitItems([
      { name: 'tag', kind: 'id', column: 'items.tag', nulls: 'error' },
      { name: 'age', kind: 'numeric', column: 'items.age', nulls: 'error' },
    ]);
    expect(await messageOf(fitted)).toMatchInlineSnapshot(`
      "error  data.null_value  logs/items  tag
             Feature \`tag\` says \`nulls: error\`, and 1 of 2 rows have a null there.
             Fill the column, or say \`nulls:\` \`own_row\` or \`out_of_vocabulary\` for this feature.
      error  data.null_value  logs/items  age
             Feature \`age\` says \`nulls: error\`, and 1 of 2 rows have a null there.
             Fill the column, or say \`nulls:\` \`mean\` for this feature."
    `);
  });

  it('is log(1 + x) of -1 or less', async () => {
    await relate({ items: `SELECT range AS item_id, -range AS age, 1 AS training_count FROM range(3)` });
    const fitted = fitItems([{ name: 'age', kind: 'numeric', column: 'items.age', transform: 'log1p' }]);
    expect(await messageOf(fitted)).toMatchInlineSnapshot(`
      "error  data.out_of_range  logs/items  age
             Feature \`age\` takes log(1 + x), and 2 rows have an x of -1 or less.
             Say \`transform: none\` for this feature, or mend the column."
    `);
  });

  it('is a null when something is scored with a transform that was fitted with `nulls: error`', async () => {
    await relate({ items: `SELECT 1 AS item_id, 'a' AS tag, 1 AS training_count` });
    const { transform, vocabularies } = await fitItems([
      { name: 'tag', kind: 'id', column: 'items.tag', nulls: 'error' },
    ]);
    const batch = columnsOf({ tag: 'VARCHAR' }, [{ tag: null }]);
    const encoded = Promise.resolve().then(() => new Encoder(transform, vocabularies).encode('items', batch));
    expect(await messageOf(encoded)).toMatchInlineSnapshot(`
      "error  data.null_value  items  tag
             Feature \`tag\` was fitted with \`nulls: error\`, and a value is null.
             Fill the column."
    `);
  });
});
