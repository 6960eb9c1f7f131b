import { existsSync } from 'node:fs';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/canonicalLogs.js';
import { complaintOf, runLogs, type LogsRun } from '../../test/support/logsRuns.js';

const oneHots = Array.from({ length: 18 }, (_, i) => `onehot_feat${i}`);
const day = (date: string, time: string) => Date.parse(`${date}T${time}+08:00`);

/** A miniature of the five files, with their quirks; rows as text. */
const files = {
  'log_standard_0425_0508.csv.gz': [
    'user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab',
    // `date` runs ahead of time_ms: this is still the evening of 04-24.
    `5,30,20220425,0,${day('2022-04-24', '23:10')},1,0,0,0,0,0,1,61802,49866,0,0,0,0,1`,
    `5,31,20220425,900,${day('2022-04-25', '09:00')},0,0,0,0,0,1,0,1184,11933,0,0,0,0,0`,
    // Repeats the row before in its key: dropped, although it says something else.
    `5,31,20220425,900,${day('2022-04-25', '09:00')},1,0,0,0,0,0,0,99,11933,0,0,0,0,0`,
    `4,32,20220425,900,${day('2022-04-25', '09:00')},1,1,1,1,1,0,1,9000,0,0,0,0,0,4`,
    // The same user and video at another time: kept.
    `5,31,20220426,700,${day('2022-04-26', '07:00')},0,0,0,0,0,0,0,0,11933,0,0,0,0,0`,
  ],
  'user_history_0408_0424.csv.gz': [
    'user_id,history_len,last_time_ms,watch_seq,long_watch_seq,like_seq',
    `5,4,${day('2022-04-20', '12:00')},30 33 30,33,""`,
    `6,1,${day('2022-04-21', '12:00')},32,32,32`,
  ],
  'user_features_pure.csv.gz': [
    `user_id,user_active_degree,is_lowactive_period,is_live_streamer,is_video_author,follow_user_num,follow_user_num_range,fans_user_num,fans_user_num_range,friend_user_num,friend_user_num_range,register_days,register_days_range,${oneHots.join(',')}`,
    ...[4, 5, 6].map(
      (id) =>
        `${id},full_active,0,-124,1,457,"(250,500]",20,"[10,100)",3,"[1,5)",1474,730+,1,3,2,1160,4.0,0,0,31,283,6,2,2,,0.0,1.0,0.0,0.0,`,
    ),
  ],
  'video_features_basic_pure.csv.gz': [
    'video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,server_height,music_id,music_type,tag',
    '30,7349781,NORMAL,2022-04-10,LongImport,0.0,87433.0,720.0,1280.0,9155697141,9.0,"12,65"',
    '31,2103883,NORMAL,2022-04-10,Kmovie,0.0,8000.0,720.0,1280.0,6355810746,9.0,2',
    '32,2103883,AD,2022-04-10,Kmovie,0.0,,720.0,1280.0,0,,',
    '33,11,NORMAL,2022-04-09,Web,0.0,7999.0,720.0,1280.0,0,4.0,2',
  ],
  'video_features_statistic_main.csv.gz': ['video_id,counts,show_cnt', '30,102,2579.686274509804'],
} as const;

type FileName = keyof typeof files;

async function folderWith(
  changed: Partial<Record<FileName, readonly string[] | null>> = {},
): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, lines] of Object.entries({ ...files, ...changed })) {
    if (lines) await writeFile(join(folder, name), gzipSync(`${lines.join('\n')}\n`));
  }
  return folder;
}

const run = (source: string, retrieval = {}) => runLogs({ kind: 'kuairand', source, retrieval });

describe('KuaiRand-Pure', () => {
  it('becomes one request per exposure, numbered by (time, user, video), with day and hour from time_ms', async () => {
    const logs = await run(await folderWith());
    expect(await logs.rows('SELECT request_id, user_id, dt, ctx_hour, scene FROM requests')).toEqual([
      { request_id: 1n, user_id: 5n, dt: '2022-04-24', ctx_hour: 23, scene: 1 },
      { request_id: 2n, user_id: 4n, dt: '2022-04-25', ctx_hour: 9, scene: 4 },
      { request_id: 3n, user_id: 5n, dt: '2022-04-25', ctx_hour: 9, scene: 0 },
      { request_id: 4n, user_id: 5n, dt: '2022-04-26', ctx_hour: 7, scene: 0 },
    ]);
    expect(logs.result.data).toMatchObject({ duplicates_dropped: 1, users_without_history: 1 });
  });

  it('keeps the first of repeated exposures, and every label', async () => {
    const logs = await run(await folderWith());
    const columns = 'request_id, click, long_view, "like", follow, share, comment, watch_ms';
    expect(await logs.rows(`SELECT ${columns} FROM feedback`)).toEqual([
      { request_id: 1n, click: 1, long_view: 1, like: 0, follow: 0, share: 0, comment: 0, watch_ms: 61802 },
      { request_id: 2n, click: 1, long_view: 1, like: 1, follow: 1, share: 1, comment: 1, watch_ms: 9000 },
      { request_id: 3n, click: 0, long_view: 0, like: 0, follow: 0, share: 0, comment: 0, watch_ms: 1184 },
      { request_id: 4n, click: 0, long_view: 0, like: 0, follow: 0, share: 0, comment: 0, watch_ms: 0 },
    ]);
  });

  it('turns sequences without times into events a second apart that end at the last known time', async () => {
    const logs = await run(await folderWith());
    const last = day('2022-04-20', '12:00');
    expect(
      await logs.rows(
        'SELECT item_id, event_type, epoch_ms(event_ts) AS ms FROM behaviours WHERE user_id = 5 AND time_is_order_only ORDER BY event_type, event_ts',
      ),
    ).toEqual([
      { item_id: 33n, event_type: 2, ms: BigInt(last) },
      { item_id: 30n, event_type: 12, ms: BigInt(last - 2000) },
      { item_id: 33n, event_type: 12, ms: BigInt(last - 1000) },
      { item_id: 30n, event_type: 12, ms: BigInt(last) },
    ]);
    expect(await logs.number('SELECT count(*) FROM behaviours WHERE user_id = 6')).toBe(3);
  });

  it('makes one behaviour of the exposure and of every signal of a row, at its time', async () => {
    const logs = await run(await folderWith());
    expect(
      await logs.rows(
        `SELECT request_id, list(event_type ORDER BY event_type) AS types, count(DISTINCT event_ts) AS times
         FROM behaviours WHERE NOT time_is_order_only GROUP BY request_id ORDER BY request_id`,
      ),
    ).toEqual([
      { request_id: 1n, types: [1, 2, 12], times: 1n },
      { request_id: 2n, types: [1, 2, 3, 4, 5, 6, 12], times: 1n },
      { request_id: 3n, types: [7, 12], times: 1n },
      { request_id: 4n, types: [12], times: 1n },
    ]);
  });

  it('reads tags as a list, the length of a video as floor(log2(seconds)), and what is missing as null', async () => {
    const logs = await run(await folderWith());
    expect(
      await logs.rows(
        'SELECT item_id, tag, tags, duration_log2, music_type, epoch_ms(publish_ts) AS published FROM items',
      ),
    ).toEqual([
      {
        item_id: 30n,
        tag: 12,
        tags: [12, 65],
        duration_log2: 6,
        music_type: 9,
        published: BigInt(day('2022-04-10', '00:00')),
      },
      {
        item_id: 31n,
        tag: 2,
        tags: [2],
        duration_log2: 3,
        music_type: 9,
        published: BigInt(day('2022-04-10', '00:00')),
      },
      {
        item_id: 32n,
        tag: null,
        tags: null,
        duration_log2: null,
        music_type: null,
        published: BigInt(day('2022-04-10', '00:00')),
      },
      {
        item_id: 33n,
        tag: 2,
        tags: [2],
        duration_log2: 2,
        music_type: 4,
        published: BigInt(day('2022-04-09', '00:00')),
      },
    ]);
    expect(
      await logs.rows(
        'SELECT user_active_degree, fans_user_num_range, onehot_feat4, onehot_feat12 FROM users LIMIT 1',
      ),
    ).toEqual([
      {
        user_active_degree: 'full_active',
        fans_user_num_range: '[10,100)',
        onehot_feat4: 4,
        onehot_feat12: null,
      },
    ]);
  });

  it('keeps nothing of the monthly statistics', async () => {
    const logs = await run(await folderWith());
    const columns = await logs.rows(
      "SELECT column_name FROM (DESCRIBE items) WHERE column_name LIKE '%cnt%' OR column_name = 'counts'",
    );
    expect(columns).toEqual([]);
  });

  it('does not depend on the order of rows, except for which repeat is first', async () => {
    const [header, ...rows] = files['log_standard_0425_0508.csv.gz'];
    const distinct = rows.filter((_, i) => i !== 2);
    const one = await run(await folderWith({ 'log_standard_0425_0508.csv.gz': [header, ...distinct] }));
    const other = await run(
      await folderWith({ 'log_standard_0425_0508.csv.gz': [header, ...distinct.toReversed()] }),
    );
    for (const { path } of one.stage.outputs) {
      const table = path.split('/')[1]!;
      expect(await readFile(one.path(table)), table).toEqual(await readFile(other.path(table)));
    }
  });
});

describe('what can be wrong with the files', () => {
  it('is that some are missing', async () => {
    const source = await folderWith({
      'user_history_0408_0424.csv.gz': null,
      'video_features_statistic_main.csv.gz': null,
    });
    expect(await complaintOf({ kind: 'kuairand', source })).toMatchInlineSnapshot(`
      "error  data.missing_file  <folder>/user_history_0408_0424.csv.gz
             This file of KuaiRand-Pure is not in the folder.
             data/README.md says which five files are needed and where they come from.
      error  data.missing_file  <folder>/video_features_statistic_main.csv.gz
             This file of KuaiRand-Pure is not in the folder.
             data/README.md says which five files are needed and where they come from."
    `);
  });

  it('is that there is no such folder', async () => {
    const source = await folderWith();
    expect(await complaintOf({ kind: 'kuairand', source: join(source, 'user_features_pure.csv.gz') }))
      .toMatchInlineSnapshot(`
      "error  data.missing_folder  <folder>/user_features_pure.csv.gz  logs.source
             This is a file; a folder was expected.
             Mend \`logs.source\` in the config, or give it with --set logs.source=<folder>."
    `);
  });

  it('is that one is cut off, also the one that nothing is taken from', async () => {
    const source = await folderWith();
    await truncate(join(source, 'video_features_statistic_main.csv.gz'), 40);
    expect(await complaintOf({ kind: 'kuairand', source })).toMatchInlineSnapshot(`
      "error  data.damaged_file  <folder>/video_features_statistic_main.csv.gz
             This gzip file is cut off or damaged: unexpected end of file.
             Fetch it again; data/README.md says where from."
    `);
  });

  it('is one flipped byte, which the checksum of gzip tells', async () => {
    const source = await folderWith();
    const path = join(source, 'user_features_pure.csv.gz');
    const bytes = await readFile(path);
    bytes[bytes.length - 6]! ^= 1;
    await writeFile(path, bytes);
    expect(await complaintOf({ kind: 'kuairand', source })).toContain(
      'data.damaged_file  <folder>/user_features_pure.csv.gz',
    );
  });

  it('is a column of another name', async () => {
    const [header, ...rows] = files['log_standard_0425_0508.csv.gz'];
    const source = await folderWith({
      'log_standard_0425_0508.csv.gz': [header.replace('video_id', 'videoid'), ...rows],
    });
    expect(await complaintOf({ kind: 'kuairand', source })).toMatchInlineSnapshot(`
      "error  data.missing_column  <folder>/log_standard_0425_0508.csv.gz  video_id
             There is no column \`video_id\`; the file has: user_id, videoid, date, hourmin, time_ms, is_click, is_like, is_follow, is_comment, is_forward, is_hate, long_view, play_time_ms, duration_ms, profile_stay_time, comment_stay_time, is_profile_enter, is_rand, tab.
             Is \`videoid\` meant? Rename it."
    `);
  });

  it('is a value of another type, or a line that is too short', async () => {
    const [header, ...rows] = files['user_history_0408_0424.csv.gz'];
    const named = await folderWith({
      'user_history_0408_0424.csv.gz': [header, ...rows, 'anna,1,1650615878629,1,1,1'],
    });
    expect(await complaintOf({ kind: 'kuairand', source: named })).toMatchInlineSnapshot(`
      "error  data.wrong_type  <folder>/user_history_0408_0424.csv.gz:4  user_id
             Could not convert string "anna" to 'BIGINT'.
             Use the file as its authors published it."
    `);
    const garbled = await folderWith({
      'user_history_0408_0424.csv.gz': [header, '5,1,1650427200000,30 x,"",""'],
    });
    expect(await complaintOf({ kind: 'kuairand', source: garbled })).toContain(
      'data.null_id  behaviours  item_id',
    );
    const short = await folderWith({ 'user_history_0408_0424.csv.gz': [header, ...rows, '7,1'] });
    expect(await complaintOf({ kind: 'kuairand', source: short })).toMatchInlineSnapshot(`
      "error  data.wrong_type  <folder>/user_history_0408_0424.csv.gz:4
             This line cannot be read: Expected Number of Columns: 6 Found: 2.
             Use the file as its authors published it."
    `);
  });
});

const real = join(import.meta.dirname, '../../../shared/data/kuairand-pure');

/** Counts of reference-experiments.md section 1 and of the data's own README. Not run where the data set is not at hand. */
describe.skipIf(!existsSync(real))('the real KuaiRand-Pure', () => {
  let logs: LogsRun;
  it('has the rows and click rates of the reference protocol', async () => {
    logs = await run(real, { one_in: 40 });
    expect(logs.result.data).toMatchObject({
      rows: { requests: 222_444, feedback: 222_444, items: 7583, users: 27_285 },
      duplicates_dropped: 5885,
      users_without_history: 608,
    });
    expect(
      await logs.rows(
        `SELECT CASE WHEN dt < '2022-05-06' THEN 'train' WHEN dt < '2022-05-07' THEN 'validation' ELSE 'test' END AS split,
                count(*) AS n, round(avg(click), 4) AS click, round(avg(long_view), 4) AS long_view
         FROM feedback GROUP BY split ORDER BY min(dt)`,
      ),
    ).toEqual([
      { split: 'train', n: 180_129n, click: 0.4507, long_view: 0.3177 },
      { split: 'validation', n: 13_566n, click: 0.4298, long_view: 0.2996 },
      { split: 'test', n: 28_749n, click: 0.4518, long_view: 0.3198 },
    ]);
  });

  it('has all entries of the histories', async () => {
    expect(
      await logs.number('SELECT count(*) FROM behaviours WHERE time_is_order_only AND event_type = 12'),
    ).toBe(817_187);
    // Mean length of the last 50 long views before a row: 21.5; 1.9 % of rows have none.
    const sequences = `
      SELECT requests.request_id, count(event_ts) AS length
      FROM requests LEFT JOIN behaviours ON behaviours.user_id = requests.user_id AND event_type = 2 AND event_ts < request_ts
      GROUP BY requests.request_id`;
    expect(
      await logs.rows(`SELECT round(avg(least(length, 50)), 1) AS mean, median(least(length, 50)) AS median,
                              round(avg(CAST(length = 0 AS INTEGER)), 3) AS empty FROM (${sequences})`),
    ).toEqual([{ mean: 21.5, median: 18, empty: 0.019 }]);
  });

  it('gets lists of candidates from both channels for the drawn requests', async () => {
    const lists = await logs.number('SELECT count(*) FROM requests WHERE n_retrieved IS NOT NULL');
    expect(lists).toBeGreaterThan(222_444 / 40 - 300);
    expect(lists).toBeLessThan(222_444 / 40 + 300);
    expect(
      await logs.rows('SELECT DISTINCT n_retrieved FROM requests WHERE n_retrieved IS NOT NULL'),
    ).toEqual([{ n_retrieved: 17 }]);
    expect(await logs.rows('SELECT DISTINCT stage_reached, exposed FROM candidates ORDER BY ALL')).toEqual([
      { stage_reached: 1, exposed: false },
      { stage_reached: 6, exposed: true },
    ]);
  });
});
