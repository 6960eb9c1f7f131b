/** `cascade status`: how a run stands, read from its folder; changes nothing. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { CascadeError } from '../errors.js';
import { duration } from '../run/progress.js';
import { configPath } from '../run/runIndex.js';
import { statusOf, type StageStatus } from '../run/status.js';
import { stages } from '../stages/index.js';
import { takesOverrides, type ConfigFlags } from './flags.js';
import { alignedRows, printJson, printLines, size } from './print.js';

type StatusFlags = Omit<ConfigFlags, 'config'> & { readonly config?: string };

export function define(command: Command): void {
  takesOverrides(command.option('--config <file>', 'pipeline file; default: config.yaml of the run folder'))
    .addHelpText(
      'after',
      `
Examples:
  cascade status --config pipeline.yaml
  cascade status --run runs/pipeline --json`,
    )
    .action(status);
}

async function status(flags: StatusFlags): Promise<void> {
  const { config } = loadConfig({ file: configFile(flags), sets: flags.set, run: flags.run });
  const statuses = await statusOf({ folder: config.run, config, stages });
  if (flags.json) printJson({ run: config.run, stages: statuses.map(statusJson) });
  else printLines([`Run folder: ${config.run}`, ...tableOf(statuses)]);
}

/** The file that was given, or the config that the run folder was last used with. */
function configFile({ config, run }: StatusFlags): string {
  if (config !== undefined) return config;
  if (run !== undefined && existsSync(configPath(run))) return configPath(run);
  throw new CascadeError({
    code: 'usage.no_config',
    ...(run !== undefined && { where: run }),
    what:
      run === undefined
        ? 'Neither a config nor a run folder was given.'
        : 'This folder holds no config.yaml: no command has worked in it.',
    mend: 'Give a pipeline file with --config, or the folder of a run with --run.',
  });
}

const statusJson = ({ startedAt, ...status }: StageStatus) => ({ ...status, started_at: startedAt });

function tableOf(statuses: readonly StageStatus[]): string[] {
  return alignedRows([
    ['stage', 'state', 'size', 'rows', 'started', 'took', 'why'],
    ...statuses.map(({ stage, state, bytes, rows, startedAt, seconds, why }) => [
      stage,
      state,
      bytes === null ? '' : size(bytes),
      rows === null ? '' : rows.toLocaleString('en'),
      startedAt?.replace(/\.\d+Z$/, 'Z') ?? '',
      seconds === null ? '' : duration(seconds),
      why ?? '',
    ]),
  ]);
}
