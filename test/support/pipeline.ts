/** Config files for tests: a small valid pipeline, temporary folders, and the words of what is wrong. */
import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, type LoadOptions } from '../../src/config/load.js';
import { describeError } from '../../src/errors.js';

/** The least that a pipeline must say. */
export const smallPipeline = `logs: {kind: simulate}
features:
  user: [{name: user_id, kind: id, column: requests.user_id}]
  item: [{name: item_id, kind: id, column: items.item_id}]
  sequence: [item_id]
`;

export const temporaryFolder = () => realpathSync(mkdtempSync(join(tmpdir(), 'cascade-')));

/** Writes a config file of this name to a new folder and returns its path. */
export function configFile(text: string | Uint8Array, name = 'pipeline.yaml'): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, text);
  return file;
}

export const load = (text: string, ...sets: string[]) => loadConfig({ file: configFile(text), sets });

/** What \`cascade\` says about a config: the problems in words, folders left out, or "no problem". */
export function complaint(text: string | Uint8Array, ...sets: string[]): string {
  return complaintAbout({ file: configFile(text), sets });
}

export function complaintAbout(options: LoadOptions): string {
  try {
    loadConfig(options);
    return 'no problem';
  } catch (error) {
    return describeError(error).replaceAll(/\/\S*\/cascade-\w+\//g, '');
  }
}

/** The small pipeline with more settings. */
export const withLines = (lines: string) => `${smallPipeline}${lines}\n`;

/** The small pipeline with settings of its simulation. */
export const simulated = (settings: string) =>
  smallPipeline.replace('kind: simulate', `kind: simulate, ${settings}`);

/** The features of a pipeline, the rest of which is sound. */
export const features = (lines: string) => `logs: {kind: simulate}\nfeatures:\n${lines}\n`;
export const user = '  user: [{name: user_id, kind: id, column: requests.user_id}]';
export const item = '  item: [{name: item_id, kind: id, column: items.item_id}]';
