/** Settings that are each valid and cannot all hold. */
import type { Path } from '../path.js';
import type { YamlConfig } from '../schema.js';

export interface Contradiction {
  /** The settings that are at odds; the one to change first stands in front. */
  readonly paths: readonly [Path, ...Path[]];
  /** What is at odds, with the values. */
  readonly what: string;
  readonly mend: string;
}

export type Check = (yaml: YamlConfig) => readonly Contradiction[];
