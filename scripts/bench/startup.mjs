/**
 * Start-up times, medians over rounds, wall clock and processor time of the process. Every compilation is in a process of its own,
 * because the first one in a process pays for warming up JavaScript, as a training does.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './median.mjs';
import { stepNames } from './pipelineSteps.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const program = join(here, '../../bin/cascade.js');
const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    rounds: { type: 'string', default: '5' },
    run: { type: 'string' },
    config: { type: 'string', default: 'configs/quickstart.yaml' },
  },
});

/** Wall and processor milliseconds of a child process, and what it printed. */
function time(args) {
  const start = performance.now();
  // The children's processor time is not told by Node: they print their own on the way out.
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', join(here, 'reportUsage.mjs'), ...args],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  const cpu = Number(/^processor ms ([\d.]+)$/m.exec(stderr)[1]);
  return { wall_ms: performance.now() - start, cpu_ms: cpu, stdout };
}

function medians(runs) {
  return { wall_ms: median(runs.map((r) => r.wall_ms)), cpu_ms: median(runs.map((r) => r.cpu_ms)) };
}

const rounds = Array.from({ length: Number(flags.rounds) });
const result = { compile: {}, help: medians(rounds.map(() => time([program, '--help']))) };
for (const name of stepNames) {
  const runs = rounds.map(() => JSON.parse(time([join(here, 'compileStep.mjs'), name]).stdout));
  result.compile[name] = {
    nodes: runs[0].nodes,
    record_ms: median(runs.map((r) => r.record_ms)),
    session_ms: median(runs.map((r) => r.session_ms)),
  };
}
if (flags.run) {
  const train = [program, 'train', '--config', flags.config, '--run', flags.run];
  if (/\bran\b/.test(time(train).stdout))
    throw new Error(
      `${flags.run} had something to do: give the config that it was run with, or call this again`,
    );
  result.no_op_train = medians(rounds.map(() => time(train)));
}

if (flags.json) console.log(JSON.stringify(result));
else {
  for (const [name, { nodes, record_ms, session_ms }] of Object.entries(result.compile)) {
    console.log(
      `compile ${name.padEnd(10)} record ${record_ms.toFixed(0)} ms, session ${session_ms.toFixed(0)} ms, ${nodes} nodes`,
    );
  }
  const line = (title, { wall_ms, cpu_ms }) =>
    console.log(`${title.padEnd(18)} ${wall_ms.toFixed(0)} ms, processor ${cpu_ms.toFixed(0)} ms`);
  line('cascade --help', result.help);
  if (result.no_op_train) line('no-op train', result.no_op_train);
}
