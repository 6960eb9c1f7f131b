/** Which raw files a kind of logs reads: they are hashed, so that the stage runs again when one of them changes. */
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { CodebookConfig, LogsConfig } from '../config/config.js';
import { assertNever, CascadeError, type Problem } from '../errors.js';
import type { SourceFile } from '../run/stage.js';
import { tableNames, type TableName } from './tables.js';

export type OwnTablesConfig = Extract<LogsConfig, { kind: 'tables' }>;

/** KuaiRand-Pure with a log of its last 14 days and one sequence per user of those before; data/README.md says how they are made. */
export const kuairandFiles = {
  log: 'log_standard_0425_0508.csv.gz',
  history: 'user_history_0408_0424.csv.gz',
  users: 'user_features_pure.csv.gz',
  items: 'video_features_basic_pure.csv.gz',
  statistics: 'video_features_statistic_main.csv.gz',
} as const;

const publicSets = {
  kuairand: {
    title: 'KuaiRand-Pure',
    mend: 'data/README.md says which five files are needed and where they come from.',
  },
  taobao: {
    title: 'Taobao UserBehavior',
    mend: 'Name the files that you have in `logs.files`; data/README.md says where they come from.',
  },
} as const;

/** Every raw file, by its name relative to `logs.source`. All that is missing is told at once. */
export async function rawFiles(logs: LogsConfig): Promise<readonly SourceFile[]> {
  switch (logs.kind) {
    case 'simulate':
      return [];
    case 'kuairand':
      return filesOfSet(logs.source, Object.values(kuairandFiles), publicSets.kuairand);
    case 'taobao':
      return filesOfSet(logs.source, logs.files, publicSets.taobao);
    case 'tables': {
      checkFolder(logs.source);
      const lists = await Promise.all(tableNames.map((table) => tableFiles(logs, table)));
      const byName = new Map(lists.flat().map((file) => [file.name, file]));
      return [...byName.values()];
    }
    default:
      return assertNever(logs);
  }
}

/** The Parquet files of one of the user's tables, in the order of their names; none where the config leaves the table out. */
export async function tableFiles(logs: OwnTablesConfig, table: TableName): Promise<SourceFile[]> {
  const pattern = logs[table]?.path;
  if (pattern === undefined) return [];
  const place = resolve(logs.source, pattern);
  const paths = await parquetFiles(place, `logs.${table}.path`, '; it is relative to `logs.source`');
  return paths
    .map((path) => ({ name: relative(logs.source, path), path }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The files of the user's own item vectors, in the order of their paths; none where there are none. */
export async function vectorFiles({ itemVectors }: CodebookConfig): Promise<SourceFile[]> {
  if (!itemVectors) return [];
  const paths = (await parquetFiles(itemVectors.path, 'codebook.item_vectors.path')).toSorted();
  const folder = commonFolder(paths);
  return paths.map((path) => ({ name: `item_vectors/${relative(folder, path)}`, path }));
}

/** The files that a path names: a file, the *.parquet of a folder, or what matches a glob. `setting` gave it. */
async function parquetFiles(place: string, setting: string, relativeTo = ''): Promise<string[]> {
  const paths = /[*?]/.test(place) ? await matching(place) : await fileOrFolder(place);
  if (paths.length > 0) return paths;
  throw new CascadeError({
    code: 'data.missing_file',
    where: place,
    subject: setting,
    what: 'No Parquet file is there, or none matches.',
    mend: `Give a file, a folder of *.parquet, or a glob such as folder/*.parquet${relativeTo}.`,
  });
}

function filesOfSet(
  folder: string,
  names: readonly string[],
  { title, mend }: { readonly title: string; readonly mend: string },
): SourceFile[] {
  checkFolder(folder);
  const files = names.map((name) => ({ name, path: join(folder, name) }));
  const missing = files.filter(({ path }) => !existsSync(path));
  if (missing.length === 0) return files;
  const what = `This file of ${title} is not in the folder.`;
  throw new CascadeError(
    missing.map(({ path }): Problem => ({ code: 'data.missing_file', where: path, what, mend })),
  );
}

function checkFolder(folder: string): void {
  if (existsSync(folder) && statSync(folder).isDirectory()) return;
  throw new CascadeError({
    code: 'data.missing_folder',
    where: folder,
    subject: 'logs.source',
    what: existsSync(folder) ? 'This is a file; a folder was expected.' : 'There is no such folder.',
    mend: 'Mend `logs.source` in the config, or give it with --set logs.source=<folder>.',
  });
}

/** The deepest folder that all paths lie in. */
const commonFolder = (paths: readonly string[]): string =>
  paths.map(dirname).reduce((folder, other) => {
    let common = folder;
    while (relative(common, other).startsWith('..')) common = dirname(common);
    return common;
  });

async function fileOrFolder(place: string): Promise<string[]> {
  if (!existsSync(place)) return [];
  return statSync(place).isDirectory() ? matching(join(place, '**', '*.parquet')) : [place];
}

/** Files that match a glob: `*` and `?` within a name, `**` over folders. */
async function matching(glob: string): Promise<string[]> {
  const parts = glob.split(sep);
  const fixed = parts
    .slice(
      0,
      parts.findIndex((part) => /[*?]/.test(part)),
    )
    .join(sep);
  const pattern = new RegExp(`^${parts.map(patternOf).join('')}$`);
  const entries = await readdir(fixed || sep, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => pattern.test(path));
}

function patternOf(part: string, index: number, parts: readonly string[]): string {
  if (part === '**') return '(?:[^/]+/)*';
  const name = part
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return index < parts.length - 1 ? `${name}/` : name;
}
