/**
 * The command line: which commands there are, and what becomes of their errors. A command's own file is loaded only when it is
 * called, so that `--help` needs neither schema nor engines.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CascadeError, describeError, exitCodes } from './errors.js';

interface Listed {
  readonly name: string;
  readonly summary: string;
  /** The file that gives the command its flags and its work. */
  readonly load: () => Promise<{ define(command: Command): void }>;
}

const stage = () => import('./commands/stage.js');

const groups: readonly { readonly title: string; readonly commands: readonly Listed[] }[] = [
  {
    title: 'The whole chain:',
    commands: [
      {
        name: 'train',
        summary: 'run every stage that must run, go on where it was cut off, print the verdict',
        load: () => import('./commands/train.js'),
      },
      {
        name: 'status',
        summary: 'how a run stands, stage by stage; changes nothing',
        load: () => import('./commands/status.js'),
      },
    ],
  },
  {
    title: 'One stage of it:',
    commands: [
      { name: 'logs', summary: 'raw logs to canonical tables', load: stage },
      { name: 'samples', summary: 'tables to sample sets A and B, vocabularies, shards', load: stage },
      { name: 'codebook', summary: 'item codes by residual quantisation', load: stage },
      { name: 'teacher', summary: 'target-attention ranker, and set C: its scores', load: stage },
      { name: 'distill', summary: 'student and its simple rivals', load: stage },
      { name: 'eval', summary: 'metrics, verdict and report', load: stage },
    ],
  },
  {
    title: 'The config:',
    commands: [
      {
        name: 'init',
        summary: 'write a full, commented config to start from',
        load: () => import('./commands/init.js'),
      },
      {
        name: 'validate',
        summary: 'check a config and say where its values come from',
        load: () => import('./commands/validate.js'),
      },
      {
        name: 'schema',
        summary: 'print the JSON Schema of the config, for editors',
        load: () => import('./commands/schema.js'),
      },
    ],
  },
  {
    title: 'The machine:',
    commands: [
      {
        name: 'doctor',
        summary: 'what there is to train on, what auto takes and why, what to install for more',
        load: () => import('./commands/doctor.js'),
      },
    ],
  },
];

const examples = `
Examples:
  cascade init pipeline.yaml --kind simulate
  cascade train --config pipeline.yaml
  cascade eval --config pipeline.yaml --json

Exit codes: 0 done; 1 failed (data, device, disk, internal); 2 usage or config; 3 a gate said no.`;

/** Runs the command line; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  survivesClosedPipes();
  try {
    const program = await programFor(args);
    await program.parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done; // --help, --version
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage; // no command
    const told = error instanceof CommanderError ? usageError(error, args) : error;
    process.stderr.write(`${describeError(told)}\n`);
    return told instanceof CascadeError ? told.exitCode : exitCodes.failed;
  }
}

/** The program with all commands by name, and the flags and work of those that the arguments mention. */
async function programFor(args: readonly string[]): Promise<Command> {
  const program = new Command('cascade')
    .description('From recommendation logs to a trained, proven pre-ranker.')
    .version(ownVersion())
    .addHelpText('after', examples)
    .exitOverride()
    .configureOutput({ outputError: () => undefined }); // told by main, in the words of other errors
  for (const { title, commands } of groups) {
    program.commandsGroup(title);
    for (const { name, summary, load } of commands) {
      const command = program
        .command(name)
        .summary(summary)
        .description(`${sentence(summary)}.`);
      if (args.includes(name)) (await load()).define(command);
    }
  }
  return program;
}

const sentence = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);

function ownVersion(): string {
  const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return own.version;
}

/** Commander's complaint as a problem: the complaint, then its suggestion or where the flags are listed. */
function usageError(error: CommanderError, [first = '']: readonly string[]): CascadeError {
  const [complaint = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const isCommand = groups.some(({ commands }) => commands.some(({ name }) => name === first));
  const kind = error.code.replace('commander.', '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return new CascadeError(
    {
      code: `usage.${kind}`,
      what: `${sentence(complaint).replace(/\.$/, '')}.`,
      mend:
        suggestion?.replace(/^\((.*)\)$/, '$1') ?? `See \`cascade ${isCommand ? `${first} ` : ''}--help\`.`,
    },
    { cause: error },
  );
}

/** A reader such as `head` may close our output early: that is no reason to stop working or to complain. */
function survivesClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners('error').includes(ignoreClosedPipe)) stream.on('error', ignoreClosedPipe);
  }
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
