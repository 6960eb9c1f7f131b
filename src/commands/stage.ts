/** `cascade logs | samples | codebook | teacher | distill | eval`: one stage, from what the stages before it left on disk. */
import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { internal } from '../errors.js';
import { runStage, type Run } from '../run/graph.js';
import { stages } from '../stages/index.js';
import { takesConfig, type ConfigFlags } from './flags.js';
import { inRunFolder } from './inRunFolder.js';
import { printJson, printLines } from './print.js';
import { withWorkers } from './withWorkers.js';

interface StageFlags extends ConfigFlags {
  readonly force?: true;
}

export function define(command: Command): void {
  const name = command.name();
  takesConfig(command)
    .option('--force', 'run it even though nothing changed, from its beginning')
    .addHelpText(
      'after',
      `
A stage whose inputs and settings have not changed is skipped; its stored result is printed again.

Examples:
  cascade ${name} --config pipeline.yaml
  cascade ${name} --config pipeline.yaml --set seed=7 --run runs/seed-7
  cascade ${name} --config pipeline.yaml --json > ${name}.json`,
    )
    .action((flags: StageFlags) => runOne(name, flags));
}

async function runOne(name: string, { config: file, set: sets, run: folder, json, force }: StageFlags) {
  const loaded = loadConfig({ file, sets, run: folder });
  const definition = stages.find((stage) => stage.name === name) ?? internal(`no stage ${name}`);
  const runIt = (run: Run) => runStage(run, definition, force === true);
  const outcome = definition.help
    ? await withWorkers(loaded, (workers) => inRunFolder(loaded, runIt, workers))
    : await inRunFolder(loaded, runIt);
  if (!outcome) return;
  if (json) printJson(outcome.result.data);
  else printLines(outcome.result.lines);
}
