/** A made-up data set in the two files of Taobao UserBehavior: same names, columns, days and quirks, some thousand rows. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { RandomStream } from '../../src/engine/random.js';

const users = 60;
const items = 600;
const categories = 24;
const eventsPerUser = 70;
const firstSecond = Date.parse('2017-11-25T00:00+08:00') / 1000;
const seconds = 9 * 86_400;
const header = 'user_id,item_id,category_id,behavior_type,timestamp';

/** Writes the files into `folder`. Every user keeps to a few categories, so that what was done says what comes. */
export function writeSmallTaobao(folder: string): void {
  const stream = RandomStream.of(1, 'small taobao');
  mkdirSync(folder, { recursive: true });
  const category = (item: number) => 1 + (item % categories);
  const linesOf = (user: number) => {
    const liked = Array.from({ length: 3 }, () => stream.below(categories));
    return Array.from({ length: eventsPerUser }, () => {
      const group = stream.uniform() < 0.8 ? liked[stream.below(liked.length)]! : stream.below(categories);
      const item = group + categories * Math.floor((items / categories) * stream.uniform() ** 2);
      const type = stream.uniform() < 0.9 ? 'pv' : ['cart', 'fav', 'buy'][stream.below(3)]!;
      const time = firstSecond + stream.below(seconds);
      return `${user},${item},${category(item)},${type},${time}`;
    });
  };
  const write = (name: string, from: number, to: number, dirt: readonly string[] = []) => {
    const lines = Array.from({ length: to - from }, (_, i) => linesOf(from + i)).flat();
    writeFileSync(join(folder, name), gzipSync(`${[header, ...lines, ...dirt].join('\n')}\n`));
  };
  write('user_behavior_head.csv.gz', 1, users / 2, ['1,7,8,pv,1505117799']); // a row of September, as in the original
  write('user_behavior_tail.csv.gz', users / 2, users);
}
