import { existsSync } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { complaintOf, runLogs, type LogsRun } from '../../test/support/logsRuns.js';
import { writeSmallTaobao } from '../../test/support/smallTaobao.js';

const header = 'user_id,item_id,category_id,behavior_type,timestamp';
const at = (day: string, time = '12:00:00') => Date.parse(`2017-${day}T${time}+08:00`) / 1000;

/** Users 1 and 2 with a life of their own; users 11 to 18 for popularity: item 300 + i is known to i of them. */
const head = [
  `1,100,7,pv,${at('11-25')}`,
  // The first event of the pair is a purchase; that it is viewed later makes no other positive.
  `1,101,7,buy,${at('11-26')}`,
  `1,101,7,pv,${at('11-27')}`,
  `1,102,8,fav,${at('12-02')}`,
  `1,103,8,cart,${at('12-03')}`,
];
const tail = [
  `2,200,7,pv,${at('11-25', '06:00:00')}`,
  `2,201,7,pv,${at('11-25', '06:00:01')}`,
  `2,202,9,pv,${at('12-02', '00:00:00')}`,
  `2,203,9,pv,${at('12-03', '23:59:59')}`,
];
const crowd = Array.from({ length: 8 }, (_, user) =>
  ['11-28', '12-02', '12-03'].flatMap((day, part) =>
    Array.from({ length: 5 }, (_one, i) => i + 1)
      .filter((known) => user < known + 3)
      .map((known) => `${11 + user},${300 + 10 * part + known},5,pv,${at(day) + user}`),
  ),
).flat();

type Files = Readonly<Record<string, readonly string[]>>;
const files: Files = {
  'user_behavior_head.csv.gz': [header, ...head],
  'user_behavior_tail.csv.gz': [header, ...tail, ...crowd],
};

async function folderWith(changed: Files = {}): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, lines] of Object.entries({ ...files, ...changed })) {
    const text = `${lines.join('\n')}\n`;
    await writeFile(join(folder, name), name.endsWith('.gz') ? gzipSync(text) : text);
  }
  return folder;
}
const headWith = (...more: string[]) => ({ 'user_behavior_head.csv.gz': [header, ...head, ...more] });

/** Few simulated lists, as they are not what most of these tests are about. */
const retrieval = { one_in: 1000, candidates: 2 };

const sectionOf = (source: string, more = {}) => ({
  kind: 'taobao',
  source,
  negatives: { per_positive: 2 },
  retrieval,
  ...more,
});
const run = (source: string, more = {}, rest = {}) => runLogs(sectionOf(source, more), rest);

/** A run over the made-up data set of 60 users. */
async function small(more = {}): Promise<LogsRun> {
  const source = await temporaryFolder();
  writeSmallTaobao(source);
  return runLogs({ kind: 'taobao', source, retrieval, ...more });
}

describe('positives', () => {
  it('are the first event of each user and item, whatever it is, numbered by (time, user, item)', async () => {
    const logs = await run(await folderWith());
    expect(
      await logs.rows(`
        SELECT user_id, item_id, strftime(request_ts, '%m-%d %H:%M:%S') AS utc, dt, ctx_hour, n_exposed
        FROM requests JOIN feedback USING (request_id, dt) WHERE click = 1 AND user_id < 10 ORDER BY request_id`),
    ).toEqual([
      { user_id: 2n, item_id: 201n, utc: '11-24 22:00:01', dt: '2017-11-25', ctx_hour: 6, n_exposed: 3 },
      { user_id: 1n, item_id: 101n, utc: '11-26 04:00:00', dt: '2017-11-26', ctx_hour: 12, n_exposed: 3 },
      { user_id: 2n, item_id: 202n, utc: '12-01 16:00:00', dt: '2017-12-02', ctx_hour: 0, n_exposed: 3 },
      { user_id: 1n, item_id: 102n, utc: '12-02 04:00:00', dt: '2017-12-02', ctx_hour: 12, n_exposed: 3 },
      { user_id: 1n, item_id: 103n, utc: '12-03 04:00:00', dt: '2017-12-03', ctx_hour: 12, n_exposed: 3 },
      { user_id: 2n, item_id: 203n, utc: '12-03 15:59:59', dt: '2017-12-03', ctx_hour: 23, n_exposed: 3 },
    ]);
    const numbers = `SELECT request_id = row_number() OVER (ORDER BY request_ts, user_id, item_id) AS in_order
                     FROM requests JOIN feedback USING (request_id, dt) WHERE click = 1`;
    expect(await logs.rows(`SELECT DISTINCT in_order FROM (${numbers})`)).toEqual([{ in_order: true }]);
  });

  it('are not what a user did first of all, two things in the same second included: nothing was known then', async () => {
    const logs = await run(await folderWith(headWith(`1,104,8,pv,${at('11-25')}`)));
    expect(await logs.number('SELECT count(*) FROM feedback WHERE click = 1 AND item_id IN (100, 104)')).toBe(
      0,
    );
    expect(logs.result.lines.join('\n')).toContain('positives before which the user did nothing: no request');
    expect(logs.result.data).toMatchObject({ users_without_history: 0 });
  });

  it('come from the nine days only, and rows that repeat one another count once', async () => {
    const [first] = head;
    const source = await folderWith(
      headWith(
        `1,901,7,pv,${at('11-25', '00:00:00') - 1}`,
        `1,902,7,pv,${at('11-25', '00:00:00')}`,
        `1,903,7,pv,${at('12-04', '00:00:00') - 1}`,
        `1,904,7,pv,${at('12-04', '00:00:00')}`,
        '1,905,7,pv,1505117799',
        first!,
        first!,
      ),
    );
    const logs = await run(source);
    expect(await logs.rows('SELECT item_id FROM items WHERE item_id > 900')).toEqual([
      { item_id: 902n },
      { item_id: 903n },
    ]);
    expect(await logs.number('SELECT count(*) FROM behaviours WHERE item_id = 100')).toBe(1);
    expect(logs.result.data).toMatchObject({ duplicates_dropped: 2 });
    expect(logs.result.lines.join('\n')).toContain('3 rows outside of the nine days left out');
  });
});

describe('tables around them', () => {
  it('hold every event with its type, the repeated views of an item too', async () => {
    const logs = await run(await folderWith());
    expect(
      await logs.rows(
        'SELECT item_id, event_type FROM behaviours WHERE user_id = 1 ORDER BY event_ts, item_id',
      ),
    ).toEqual([
      { item_id: 100n, event_type: 8 },
      { item_id: 101n, event_type: 11 },
      { item_id: 101n, event_type: 8 },
      { item_id: 102n, event_type: 10 },
      { item_id: 103n, event_type: 9 },
    ]);
  });

  it('give an item the category it has most often, of equals the smaller', async () => {
    const more = [
      `1,101,6,pv,${at('11-28')}`, // 7 twice, 6 once
      `1,102,4,pv,${at('12-03')}`, // 8 once, 4 once
      `1,103,3,pv,${at('12-03', '13:00:00')}`,
      `1,103,3,pv,${at('12-03', '14:00:00')}`, // 8 once, 3 twice
    ];
    const logs = await run(await folderWith(headWith(...more)));
    expect(await logs.rows('SELECT * FROM items WHERE item_id IN (101, 102, 103)')).toMatchObject([
      { item_id: 101n, category_id: 7n },
      { item_id: 102n, category_id: 4n },
      { item_id: 103n, category_id: 3n },
    ]);
    expect(logs.result.lines.join('\n')).toContain('3 items with more than one category');
  });
});

// --------------------------------------------------------------------------------------------------------------- negatives

describe('drawn negatives', () => {
  let logs: LogsRun;
  beforeAll(async () => {
    logs = await small();
  });
  /** Part of the day of a row. */
  const part = `CASE WHEN dt < '2017-12-02' THEN 0 WHEN dt < '2017-12-03' THEN 1 ELSE 2 END`;
  const firsts = `
    SELECT user_id, item_id, ${part} AS part FROM (
      SELECT user_id, item_id, strftime(min(event_ts) + INTERVAL 8 HOUR, '%Y-%m-%d') AS dt FROM behaviours GROUP BY ALL)`;
  const drawn = `
    SELECT request_id, user_id, item_id, ${part} AS part
    FROM candidates JOIN requests USING (request_id, dt) WHERE exposed AND retrieval_channels IS NULL`;

  it('are four a request, exposed with label 0 beside one positive, distinct, and of no channel', async () => {
    expect(
      await logs.rows(
        `SELECT DISTINCT n, items, clicks, stages FROM (
           SELECT count(*) AS n, count(DISTINCT item_id) AS items, sum(click) AS clicks,
                  list_distinct(list(stage_reached)) AS stages
           FROM candidates JOIN feedback USING (request_id, item_id) GROUP BY request_id)`,
      ),
    ).toEqual([{ n: 5n, items: 5n, clicks: 1n, stages: [6] }]);
    expect(
      await logs.rows(`SELECT DISTINCT click, retrieval_channels AS channels FROM candidates JOIN feedback USING (request_id, item_id)
                       ORDER BY click`),
    ).toEqual([
      { click: 0, channels: null },
      { click: 1, channels: [0] },
    ]);
    expect(await logs.number(`SELECT count(*) - 4 * (SELECT count(*) FROM requests) FROM (${drawn})`)).toBe(
      0,
    );
    expect(logs.result.lines.join('\n')).toContain('with label 0 are drawn, not shown');
  });

  it('are never an item that the user touched, before or after', async () => {
    const touched = `SELECT * FROM (${drawn}) AS drawn SEMI JOIN behaviours USING (user_id, item_id)`;
    expect(await logs.number(`SELECT count(*) FROM (${touched})`)).toBe(0);
  });

  it('come from first events of the same part, whose days the config names', async () => {
    const outside = `SELECT * FROM (${drawn}) AS drawn ANTI JOIN (${firsts}) AS firsts USING (part, item_id)`;
    expect(await logs.number(`SELECT count(*) FROM (${outside})`)).toBe(0);
    const whole = await small({ negatives: { parts_from: [] } });
    expect(await whole.number(`SELECT count(*) FROM (${outside})`)).toBeGreaterThan(100);
  });

  it('are drawn in proportion to how many users had the item first in the part', async () => {
    // Item 400 + k is known to 10 k users; user 90 knows none of them and has 1,500 requests. One draw a request, so that no draw
    // depends on another.
    const known = [4, 5, 6, 7, 8].flatMap((k) =>
      Array.from(
        { length: 10 * k },
        (_, user) => `${1000 + user},${400 + k},5,pv,${at('11-28') + 9 * user + k}`,
      ),
    );
    const asking = Array.from({ length: 1501 }, (_, i) => `90,${5000 + i},5,pv,${at('11-29') + i}`);
    const source = await folderWith({ 'all.csv': [header, ...known, ...asking] });
    const logs = await run(source, {
      files: ['all.csv'],
      negatives: { per_positive: 1, parts_from: ['2017-12-02'] },
    });
    const counts = await logs.rows(`
      SELECT item_id - 400 AS k, count(*) AS times
      FROM candidates JOIN requests USING (request_id) WHERE user_id = 90 AND retrieval_channels IS NULL AND exposed
      GROUP BY ALL ORDER BY k`);
    expect(counts.map(({ k }) => Number(k))).toEqual([4, 5, 6, 7, 8]);
    const chiSquare = (share: (k: number) => number) =>
      counts.reduce((sum, { k, times }) => {
        const expected = 1500 * share(Number(k));
        return sum + (Number(times) - expected) ** 2 / expected;
      }, 0);
    // Four degrees of freedom: 18.47 is passed once in a thousand; the draws are fixed by the seed.
    expect(chiSquare((k) => k / 30)).toBeLessThan(18.47);
    expect(chiSquare(() => 1 / 5)).toBeGreaterThan(18.47);
    expect(chiSquare((k) => k ** 2 / 190)).toBeGreaterThan(18.47);
  });

  it('depend on the seed, and not on the order of rows or files', async () => {
    const bytes = async (logs: LogsRun) =>
      Promise.all(logs.stage.outputs.map(({ path }) => readFile(logs.path(path.split('/')[1]!))));
    const one = await run(await folderWith());
    const turned = await folderWith({
      'user_behavior_head.csv.gz': [header, ...crowd.toReversed(), ...head.toReversed()],
      'user_behavior_tail.csv.gz': [header, ...tail.toReversed()],
    });
    const names = ['user_behavior_tail.csv.gz', 'user_behavior_head.csv.gz'];
    expect(await bytes(await run(turned, { files: names }))).toEqual(await bytes(one));
    expect(await bytes(await run(await folderWith(), {}, { seed: 2 }))).not.toEqual(await bytes(one));
  });

  it('go on to be drawn when first draws are of touched items or twice the same', async () => {
    // In the test part user 11 knows five items of the nine; 102 … 203 are four others: 103 and 203 are left to draw.
    const logs = await run(await folderWith(), { negatives: { per_positive: 2 } });
    expect(
      await logs.rows(`
        SELECT DISTINCT item_id FROM candidates JOIN requests USING (request_id, dt)
        WHERE user_id = 11 AND dt = '2017-12-03' AND exposed AND retrieval_channels IS NULL ORDER BY item_id`),
    ).toEqual([{ item_id: 103n }, { item_id: 203n }]);
  });

  it('are refused when a part has too few items', async () => {
    expect(await complaintOf(sectionOf(await folderWith(), { negatives: { per_positive: 3 } })))
      .toMatchInlineSnapshot(`
      "error  data.too_few_items  logs  logs.negatives.per_positive
             40 requests cannot get 3 negatives: on 2017-12-02 user 11 got 2, as 3,072 draws from the 32 first events of that part gave no other item that the user never touched.
             Lower \`logs.negatives.per_positive\`, or give more of the log in \`logs.files\`."
    `);
  });
});

describe('the simulated retrieval', () => {
  it('finds by what users did: the log has no exposures', async () => {
    const logs = await small({ retrieval: { one_in: 3, candidates: 8 } });
    expect(
      await logs.rows(`
        SELECT DISTINCT unnest(retrieval_channels) AS channel FROM candidates WHERE NOT exposed ORDER BY channel`),
    ).toEqual([{ channel: 1 }, { channel: 2 }]);
    expect(
      await logs.rows(
        `SELECT DISTINCT n_retrieved FROM requests WHERE n_retrieved IS NOT NULL AND dt > '2017-11-25'`,
      ),
    ).toEqual([{ n_retrieved: 13 }]);
  });
});

// ------------------------------------------------------------------------------------------------------------------- files

describe('the files of Taobao UserBehavior', () => {
  it('may be plain, and without the header line, as published', async () => {
    const source = await folderWith({ 'UserBehavior.csv': [...head, ...tail, ...crowd] });
    const one = await run(source, { files: ['UserBehavior.csv'] });
    const two = await run(source);
    expect(await one.rows('FROM candidates')).toEqual(await two.rows('FROM candidates'));
    expect(await one.rows('FROM behaviours')).toEqual(await two.rows('FROM behaviours'));
  });

  it('may be missing', async () => {
    const source = await folderWith();
    expect(await complaintOf(sectionOf(source, { files: ['UserBehavior.csv'] }))).toMatchInlineSnapshot(`
      "error  data.missing_file  <folder>/UserBehavior.csv
             This file of Taobao UserBehavior is not in the folder.
             Name the files that you have in \`logs.files\`; data/README.md says where they come from."
    `);
  });

  it('may be cut off', async () => {
    const source = await folderWith();
    await truncate(join(source, 'user_behavior_tail.csv.gz'), 60);
    expect(await complaintOf(sectionOf(source))).toMatchInlineSnapshot(`
      "error  data.damaged_file  <folder>/user_behavior_tail.csv.gz
             This gzip file is cut off or damaged: unexpected end of file.
             Fetch it again; data/README.md says where from."
    `);
  });

  it('may lack a column', async () => {
    const source = await folderWith({
      'user_behavior_head.csv.gz': [header.replace('behavior', 'behaviour'), ...head],
    });
    expect(await complaintOf(sectionOf(source))).toMatchInlineSnapshot(`
      "error  data.missing_column  <folder>/user_behavior_head.csv.gz  behavior_type
             There is no column \`behavior_type\`; the file has: user_id, item_id, category_id, behaviour_type, timestamp.
             Is \`behaviour_type\` meant? Rename it."
    `);
  });

  it('may have a behaviour that is not known, or lines that are cut off or empty in a column', async () => {
    const source = await folderWith({
      'user_behavior_head.csv.gz': [header, ...head, '1,101,7,share,1511700000', '2,101,7,share,1511700000'],
      'user_behavior_tail.csv.gz': [header, ...tail, '1,101,7,pv,', ',101,7,pv,1511700000'],
    });
    expect(await complaintOf(sectionOf(source))).toMatchInlineSnapshot(`
      "error  data.bad_event_type  <folder>/user_behavior_head.csv.gz:7  behavior_type
             2 rows with the behaviour \`share\`, which is not known; this is the first.
             Behaviours are pv, cart, fav, buy, as published.
      error  data.null_id  <folder>/user_behavior_tail.csv.gz:7  user_id
             1 row without user_id; this is the first.
             Use the file as its authors published it; the last line of a slice may be cut off.
      error  data.null_value  <folder>/user_behavior_tail.csv.gz:6  timestamp
             1 row without timestamp; this is the first.
             Use the file as its authors published it; the last line of a slice may be cut off."
    `);
    const plain = await folderWith({ 'all.csv': [...tail, ...crowd, '3,101,7'] });
    expect(await complaintOf(sectionOf(plain, { files: ['all.csv'] }))).toMatchInlineSnapshot(`
      "error  data.wrong_type  <folder>/all.csv:95
             This line cannot be read: Expected Number of Columns: 5 Found: 3.
             Use the file as its authors published it."
    `);
    const unnamed = await folderWith({ 'all.csv': [...tail, ...crowd, '3,101,7,view,1511700000'] });
    const line = tail.length + crowd.length + 1;
    expect(await complaintOf(sectionOf(unnamed, { files: ['all.csv'] }))).toContain(`all.csv:${line}`);
  });
});

const real = join(import.meta.dirname, '../../../shared/data/taobao-userbehavior');

/** Counts of reference-experiments.md section 3 and of the data's own README. Not run where the data set is not at hand. */
describe.skipIf(!existsSync(real))('the real slices of Taobao UserBehavior', () => {
  it('have the rows of the reference protocol', async () => {
    const logs = await runLogs({ kind: 'taobao', source: real, retrieval });
    expect(
      await logs.rows(
        `SELECT CASE WHEN dt < '2017-12-02' THEN 'train' WHEN dt < '2017-12-03' THEN 'validation' ELSE 'test' END AS split,
                count(*) AS n, avg(click) AS click
         FROM feedback GROUP BY split ORDER BY min(dt)`,
      ),
    ).toEqual([
      { split: 'train', n: 121_100n, click: 0.2 },
      { split: 'validation', n: 23_830n, click: 0.2 },
      { split: 'test', n: 21_375n, click: 0.2 },
    ]);
    expect(logs.result.data).toMatchObject({
      rows: { behaviours: 43_982, users: 435, items: 30_686 },
      duplicates_dropped: 0,
      behaviours_by_type: { page_view: 39_559, cart: 2446, favourite: 1073, buy: 904 },
    });
    expect(logs.result.lines.join('\n')).toContain('20 rows outside of the nine days left out');
    // Mean length of the last 50 events before a request: 38.
    const lengths = `SELECT requests.request_id, count(*) AS n FROM requests JOIN behaviours
                     ON behaviours.user_id = requests.user_id AND event_ts < request_ts GROUP BY ALL`;
    expect(await logs.rows(`SELECT round(avg(least(n, 50))) AS mean FROM (${lengths})`)).toEqual([
      { mean: 38 },
    ]);
  });
});
