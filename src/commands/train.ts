/** `cascade train`: all stages in order, skipping those that still hold; ends in a table of stages and the verdict. */
import { Option, type Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/load.js';
import { plan, runStage, type Decision, type Outcome, type Run } from '../run/graph.js';
import { stageNames, type StageName } from '../run/manifest.js';
import { duration } from '../run/progress.js';
import { stages } from '../stages/index.js';
import { takesConfig, type ConfigFlags } from './flags.js';
import { inRunFolder } from './inRunFolder.js';
import { alignedRows, printJson, printLines } from './print.js';
import { withWorkers } from './withWorkers.js';

interface TrainFlags extends ConfigFlags {
  readonly from?: StageName;
  readonly only?: StageName;
  readonly force?: true;
  readonly dryRun?: true;
}

export function define(command: Command): void {
  takesConfig(command)
    .addOption(new Option('--from <stage>', 'run this stage and all after it anew').choices(stageNames))
    .addOption(new Option('--only <stage>', 'run this stage alone').choices(stageNames).conflicts('from'))
    .option('--force', 'run anew what would be skipped')
    .option('--dry-run', 'say what would run and why; touches nothing')
    .addHelpText(
      'after',
      `
Stages: ${stageNames.join(', ')}. What has not changed is skipped, what was cut off is gone on with.

Examples:
  cascade train --config pipeline.yaml
  cascade train --config pipeline.yaml --dry-run
  cascade train --config pipeline.yaml --set distill.epochs=2 --run runs/short
  cascade train --config pipeline.yaml --from distill --json`,
    )
    .action(train);
}

async function train(flags: TrainFlags): Promise<void> {
  const loaded = loadConfig({ file: flags.config, sets: flags.set, run: flags.run });
  if (flags.dryRun) {
    await printPlan(loaded, flags);
    return;
  }
  const runStages = async (run: Run) => {
    const finished: Outcome[] = [];
    for (const stage of chosen(flags)) finished.push(await runStage(run, stage, isForced(flags, stage.name)));
    return finished;
  };
  const outcomes = await withWorkers(loaded, (workers) => inRunFolder(loaded, runStages, workers));
  if (!outcomes) return;
  if (flags.json) printJson(jsonOf(outcomes));
  else printLines([...tableOf(outcomes), '', ...verdictOf(outcomes)]);
}

const chosen = ({ only }: TrainFlags) => stages.filter(({ name }) => only === undefined || name === only);

function isForced({ from, force }: TrainFlags, stage: StageName): boolean {
  if (force) return true;
  return from !== undefined && stageNames.indexOf(stage) >= stageNames.indexOf(from);
}

async function printPlan(loaded: LoadedConfig, flags: TrainFlags): Promise<void> {
  const { config } = loaded;
  const run = { folder: config.run, config, stages };
  const decisions = await plan(run, chosen(flags), (stage) => isForced(flags, stage));
  if (flags.json) printJson({ run: config.run, stages: decisions.map(stageJson) });
  else {
    printLines([
      `Run folder: ${config.run}`,
      ...alignedRows([
        ['stage', 'would', 'why'],
        ...decisions.map(({ stage, run, reason }) => [stage, run ? 'run' : 'skip', reason]),
      ]),
    ]);
  }
}

const stageJson = ({ stage, run, reason }: Decision) => ({
  stage,
  action: run ? 'run' : 'skip',
  reason,
});

// ---------------------------------------------------------------------------------------------------------- what it says

/** What `cascade eval --json` prints, and how each stage fared; no verdict when eval was left out. */
function jsonOf(outcomes: readonly Outcome[]) {
  const judged = outcomes.find(({ stage }) => stage === 'eval')?.result.data;
  return {
    ...(judged ?? { verdict: null, metrics: [] }),
    stages: outcomes.map((outcome) => ({
      stage: outcome.stage,
      action: outcome.run ? 'ran' : 'skipped',
      reason: outcome.reason,
      seconds: outcome.seconds,
    })),
  };
}

function tableOf(outcomes: readonly Outcome[]): string[] {
  const rows = outcomes.map(({ stage, run, reason, seconds }) => [
    stage,
    run ? 'ran' : 'skipped',
    run ? duration(seconds) : `(${duration(seconds)})`,
    reason,
  ]);
  return alignedRows([['stage', 'what', 'time', 'why'], ...rows]);
}

/** The verdict is the last line that eval prints. */
const verdictOf = (outcomes: readonly Outcome[]) =>
  (outcomes.find(({ stage }) => stage === 'eval')?.result.lines ?? []).slice(-1);
