/** Settings of `logs`: where the logs come from. */
import * as z from 'zod';
import { key, count, share, weight, day, utcOffset } from './parts.js';

const retrieval = z
  .strictObject({
    one_in: key(count.default(4), 'requests per simulated candidate list: 4 = every fourth request gets one'),
    candidates: key(
      z.int().min(2).max(1000).default(16),
      'candidates a simulated list holds beside the exposures',
    ),
    popularity_share: key(
      share.default(0.5),
      'share of them from the popularity channel; the rest come from co-occurrence with the latest behaviours',
    ),
  })
  .prefault({});

const kuairand = z.strictObject({
  kind: z
    .literal('kuairand')
    .describe('KuaiRand-Pure: real exposures of a short-video app, 2022-04-25 to 2022-05-08'),
  source: key(z.string(), 'folder with the five files of KuaiRand-Pure', '../data/kuairand-pure'),
  time_zone: key(utcOffset.default('+08:00'), 'offset from UTC that days and hours are counted in'),
  retrieval: key(
    retrieval,
    'the data has exposures only: a simulated retrieval, fitted on days before the request, adds candidates',
  ),
});

const taobao = z.strictObject({
  kind: z
    .literal('taobao')
    .describe(
      'Taobao UserBehavior: what users viewed and bought, 2017-11-25 to 2017-12-03; negatives are drawn',
    ),
  source: key(z.string(), 'folder with files of Taobao UserBehavior', '../data/taobao-userbehavior'),
  files: key(
    z
      .array(z.string().regex(/\.csv(\.gz)?$/, 'a name that ends in .csv or .csv.gz'))
      .min(1)
      .default(['user_behavior_head.csv.gz', 'user_behavior_tail.csv.gz']),
    'CSV files of it, plain or gzipped, relative to logs.source; all are read as one',
  ),
  time_zone: key(utcOffset.default('+08:00'), 'offset from UTC that days and hours are counted in'),
  negatives: key(
    z
      .strictObject({
        per_positive: key(
          z.int().min(1).max(100).default(4),
          'drawn per request, beside its positive; never an item that the user touched',
        ),
        parts_from: key(
          z.array(day).default(['2017-12-02', '2017-12-03']),
          'days that begin a part; a negative is what another user first touched in the same part. Give the first days of validation and test, so that nothing drawn for training comes from later',
        ),
      })
      .prefault({}),
    'the data has no exposures: what a request has beside its positive is drawn, in proportion to popularity',
  ),
  retrieval: key(
    retrieval,
    'a simulated retrieval, fitted on days before the request, adds candidates for set B',
  ),
});

/** Where a canonical table is read from: a Parquet file, glob or folder, and the user's names of its columns. */
const mapped = (table: string) =>
  z.strictObject({
    path: key(
      z.string(),
      `Parquet file or glob of \`${table}\`, relative to logs.source`,
      `${table}/*.parquet`,
    ),
    columns: key(
      z.record(z.string(), z.string()).default({}),
      'canonical column: your column, where the names differ',
    ),
  });

const tables = z.strictObject({
  kind: z.literal('tables').describe('your own Parquet tables'),
  source: key(z.string(), 'folder that the paths below are relative to', '../data/tables'),
  time_zone: key(utcOffset.default('+00:00'), 'offset from UTC that days and hours are counted in'),
  requests: key(mapped('requests'), 'one row per request', { path: 'requests/*.parquet' }),
  candidates: key(mapped('candidates'), 'one row per request and item', { path: 'candidates/*.parquet' }),
  feedback: key(mapped('feedback'), 'one row per exposed request and item', { path: 'feedback/*.parquet' }),
  behaviours: key(mapped('behaviours').optional(), 'one row per user event; from feedback when left out'),
  items: key(mapped('items').optional(), 'one row per item; ids without attributes when left out'),
  users: key(mapped('users').optional(), 'one row per user; ids without attributes when left out'),
  unknown_items: key(
    z.enum(['error', 'accept']).default('error'),
    'a candidate that is not in `items`: stop, or accept it with unknown attributes',
  ),
});

const simulate = z.strictObject({
  kind: z
    .literal('simulate')
    .describe('a seeded full funnel with target-dependent interests and known truth'),
  time_zone: key(utcOffset.default('+00:00'), 'offset from UTC that days and hours are counted in'),
  users: key(count.default(1500), 'users'),
  items: key(count.default(2000), 'items of the catalogue'),
  days: key(z.int().min(3).default(10), 'days of traffic; the first request is on 2024-01-01'),
  requests_per_user_day: key(z.number().positive().default(1), 'mean requests of a user on a day'),
  groups: key(count.default(80), 'hidden interest groups; no stage may read them'),
  categories: key(count.default(10), 'visible categories; a category spans several groups'),
  retrieved: key(z.int().min(4).default(48), 'candidates of a request after retrieval'),
  preranked: key(z.int().min(3).default(24), 'of these, passed on by the pre-ranker'),
  ranked: key(z.int().min(2).default(12), 'of these, passed on by the ranker'),
  exposed: key(z.int().min(1).default(8), 'of these, shown'),
  target_dependence: key(
    weight.default(1),
    "how strongly recent behaviours of the candidate's own group move its click log-odds; 0 = the control world",
  ),
  candidate_log_share: key(
    z.number().gt(0).max(1).default(1),
    'share of candidates cut by the pre-ranker that the log keeps; the rest is undone by incl_prob',
  ),
});

export const logs = z.discriminatedUnion('kind', [kuairand, taobao, tables, simulate]);
