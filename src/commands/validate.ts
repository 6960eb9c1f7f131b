/** `cascade validate`: checks a config and nothing else; says how many values come from where. */
import type { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/load.js';
import { countByOrigin, resolvedText } from '../config/resolved.js';
import { CascadeError } from '../errors.js';
import { takesConfig, type ConfigFlags } from './flags.js';
import { printJson, printLines } from './print.js';

interface ValidateFlags extends ConfigFlags {
  readonly resolved?: true;
}

export function define(command: Command): void {
  takesConfig(command)
    .option('--resolved', 'print every value that holds, with its origin, as YAML')
    .addHelpText(
      'after',
      `
No data is read. With --json, problems are printed as data too (and the exit code is 2).

Examples:
  cascade validate --config pipeline.yaml
  cascade validate --config pipeline.yaml --set features.width=32 --resolved`,
    )
    .action(validate);
}

function validate({ config: file, set: sets, run, json, resolved }: ValidateFlags): void {
  let loaded: LoadedConfig;
  try {
    loaded = loadConfig({ file, sets, run });
  } catch (error) {
    if (json && error instanceof CascadeError) printJson({ ok: false, problems: error.problems });
    throw error;
  }
  const values = countByOrigin(loaded);
  if (json) printJson({ ok: true, run: loaded.yaml.run, values, config: loaded.yaml });
  else if (resolved) process.stdout.write(resolvedText(loaded));
  else {
    const counts = Object.entries(values).map(([origin, count]) => `${count} ${origin}`);
    printLines([`OK  ${file}: values by origin: ${counts.join(', ')}. Run folder: ${loaded.yaml.run}`]);
  }
}
