/** `cascade init`: writes a full, commented config to start from. */
import { existsSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { initText } from '../config/document.js';
import { starterKinds, type StarterKind } from '../config/starters.js';
import { CascadeError } from '../errors.js';
import { writeText } from '../run/files.js';
import { printLines } from './print.js';

interface InitFlags {
  readonly kind: StarterKind;
  readonly force?: true;
}

export function define(command: Command): void {
  command
    .argument('[file]', 'file to write', 'pipeline.yaml')
    .addOption(
      new Option('--kind <kind>', 'where the logs will come from').choices(starterKinds).default('simulate'),
    )
    .option('--force', 'write over a file that is there')
    .addHelpText(
      'after',
      `
Kinds: simulate, a seeded world to try things in; kuairand and taobao, public data sets; tables, your own Parquet tables.

Examples:
  cascade init
  cascade init configs/mine.yaml --kind tables`,
    )
    .action(init);
}

async function init(file: string, { kind, force }: InitFlags): Promise<void> {
  if (existsSync(file) && !force) {
    throw new CascadeError({
      code: 'usage.file_exists',
      where: file,
      what: 'There is such a file already.',
      mend: 'Give another name, or --force to write over it.',
    });
  }
  await writeText(file, initText(kind));
  printLines([`Wrote ${file}. Next: cascade train --config ${file}`]);
}
