/** The flags that every command with a config takes. */
import type { Command } from 'commander';
import { CascadeError } from '../errors.js';

export interface ConfigFlags {
  readonly config: string;
  readonly set?: readonly string[];
  readonly run?: string;
  readonly json?: true;
}

export const takesConfig = (command: Command): Command =>
  takesOverrides(command.option('--config <file>', 'pipeline file (YAML); must be given')).hook(
    'preAction',
    refuseWithoutConfig,
  );

/** Asked for here and not by commander, which would complain of it before it names a misspelled flag. */
function refuseWithoutConfig(command: Command): void {
  if (command.opts<Partial<ConfigFlags>>().config !== undefined) return;
  throw new CascadeError({
    code: 'usage.no_config',
    what: 'No config was given.',
    mend: `For example: cascade ${command.name()} --config pipeline.yaml. \`cascade init pipeline.yaml\` writes one.`,
  });
}

/** All but --config. */
export const takesOverrides = (command: Command): Command =>
  command
    .option(
      '--set <path=value>',
      'put a value in place of what the file says; repeatable',
      (text: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), text],
    )
    .option('--run <folder>', 'run folder; default: `run` of the config, or runs/<name of the file>')
    .option('--json', 'print the result as one JSON document');
