/** `cascade schema`: the JSON Schema of the config, for editors and other tools. */
import type { Command } from 'commander';
import { jsonSchema } from '../config/outline.js';
import { printJson } from './print.js';

export function define(command: Command): void {
  command
    .addHelpText(
      'after',
      `
An editor with a YAML language server reads it from the first line of a config:
  # yaml-language-server: $schema=cascade.schema.json

Examples:
  cascade schema > cascade.schema.json`,
    )
    .action(() => {
      printJson(jsonSchema());
    });
}
