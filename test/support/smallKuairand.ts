/** A made-up data set in the five files of KuaiRand-Pure: same names, columns, days and quirks, some thousand rows. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { RandomStream } from '../../src/engine/random.js';

const users = 120;
const videos = 90;
const exposures = 6000;
const firstMs = Date.parse('2022-04-25T00:00+08:00');
const days = 14;

/** Writes the files into `folder`. Clicks depend on the video and on whether the user watched its author before. */
export function writeSmallKuairand(folder: string): void {
  const stream = RandomStream.of(1, 'small kuairand');
  mkdirSync(folder, { recursive: true });
  const write = (name: string, lines: readonly string[]) => {
    writeFileSync(join(folder, `${name}.csv.gz`), gzipSync(`${lines.join('\n')}\n`));
  };
  const author = (video: number) => 100 + (video % 17);
  const watched = Array.from({ length: users }, () => new Set<number>());

  const history = Array.from({ length: users - 10 }, (_, user) => {
    const sequence = Array.from({ length: 1 + stream.below(30) }, () => stream.below(videos));
    for (const video of sequence) watched[user]!.add(author(video));
    return `${user},${sequence.length},${firstMs - 1000 - user},${sequence.join(' ')},${sequence.slice(0, 8).join(' ')},""`;
  });
  write('user_history_0408_0424', [
    'user_id,history_len,last_time_ms,watch_seq,long_watch_seq,like_seq',
    ...history,
  ]);

  const log = Array.from({ length: exposures }, () => {
    const user = stream.below(users);
    const video = Math.floor(videos * stream.uniform() ** 2);
    const time = firstMs + Math.floor(stream.uniform() * days * 86_400_000);
    const chance = 0.15 + 0.3 * (video % 3 === 0 ? 1 : 0) + 0.3 * (watched[user]!.has(author(video)) ? 1 : 0);
    const click = stream.uniform() < chance ? 1 : 0;
    const long = click && stream.uniform() < 0.7 ? 1 : 0;
    return {
      time,
      line: `${user},${video},20220425,900,${time},${click},0,0,0,0,0,${long},5000,12000,0,0,0,0,${stream.below(3)}`,
    };
  }).toSorted((a, b) => a.time - b.time);
  write('log_standard_0425_0508', [
    'user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab',
    ...log.map(({ line }) => line),
    log[0]!.line, // a repeated row, as in the original
  ]);

  const oneHots = Array.from({ length: 18 }, (_, i) => `onehot_feat${i}`);
  write('user_features_pure', [
    `user_id,user_active_degree,is_lowactive_period,is_live_streamer,is_video_author,follow_user_num,follow_user_num_range,fans_user_num,fans_user_num_range,friend_user_num,friend_user_num_range,register_days,register_days_range,${oneHots.join(',')}`,
    ...Array.from({ length: users }, (_, user) => {
      const features = oneHots.map((_name, i) => (i === 4 && user % 9 === 0 ? '' : String(stream.below(3))));
      return `${user},full_active,0,0,1,457,"(250,500]",20,"[10,100)",3,"[1,5)",1474,730+,${features.join(',')}`;
    }),
  ]);
  write('video_features_basic_pure', [
    'video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,server_height,music_id,music_type,tag',
    ...Array.from(
      { length: videos },
      (_, video) =>
        `${video},${author(video)},NORMAL,2022-04-10,Kmovie,0.0,${video % 7 ? 8000 + 900 * video : ''},720.0,1280.0,0,9.0,"${1 + (video % 5)},65"`,
    ),
  ]);
  write('video_features_statistic_main', ['video_id,counts,show_cnt', '0,102,2579.68']);
}
