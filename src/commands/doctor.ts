/**
 * `cascade doctor`: what this machine has to train on, what `device: auto` takes and why, and what to install for more.
 */
import { Option, type Command } from 'commander';
import { snakeKeys } from '../config/config.js';
import { CascadeError } from '../errors.js';
import { deviceNames, examineApart, examineHere, type DeviceName, type Report } from './deviceReports.js';
import { machine, type Machine } from './machine.js';
import { alignedRows, printJson, printLines, size } from './print.js';

interface DoctorFlags {
  readonly device?: DeviceName;
  readonly json?: true;
}

export function define(command: Command): void {
  command
    .addOption(new Option('--device <name>', 'test this device alone').choices(deviceNames))
    .option('--json', 'print the result as one JSON document')
    .addHelpText(
      'after',
      `
The self-test is a small training step of the TARQ student: its gradients against an implementation that shares no code with the
device's, and steps a second at 16 requests of 32 candidates and 50 behaviours. Exit code 0 when the device that \`auto\` takes (or
the one given) works, else 1.

Examples:
  cascade doctor
  cascade doctor --device webgpu
  cascade doctor --json`,
    )
    .action(doctor);
}

async function doctor(flags: DoctorFlags): Promise<void> {
  const reports = flags.device ? [await examineHere(flags.device)] : await examineAll();
  const [chosen] = reports as [Report];
  if (flags.json)
    printJson(
      snakeKeys({
        machine: machine(),
        chosen: chosen.device,
        because: chosen.chosenBecause,
        devices: reports,
      }),
    );
  else {
    printLines([
      ...machineLines(machine()),
      '',
      ...tableOf(reports),
      '',
      ...reports.flatMap(({ device, mend }) => (mend ? [`${device}: ${mend}`] : [])),
      ...(chosen.chosenBecause === null
        ? []
        : [`\`device: auto\` takes ${chosen.device}: ${chosen.chosenBecause}.`]),
    ]);
  }
  if (!works(chosen)) throw failure(chosen);
}

/** The device that `auto` takes first, then the others. */
async function examineAll(): Promise<Report[]> {
  const chosen = await examineApart('auto');
  const reports = [chosen];
  for (const name of deviceNames) {
    if (name !== 'auto' && name !== chosen.device) reports.push(await examineApart(name));
  }
  return reports;
}

const works = ({ usable, selfTest }: Report) => usable && (selfTest?.passed ?? false);

function failure({ device, usable, why, mend, selfTest }: Report): CascadeError {
  const wrong = `its gradients differ from the reference by ${selfTest?.gradientError.toPrecision(2) ?? '?'}, relative to the largest`;
  return new CascadeError({
    code: 'device.self_test',
    subject: device,
    what: `Training on ${device} does not work: ${usable ? wrong : why}.`,
    mend: mend ?? 'Set `device: cpu`, which needs nothing but the processor.',
  });
}

// ------------------------------------------------------------------------------------------------------------ what it says

function machineLines({ node, platform, arch, processor, cores, memoryBytes, versions }: Machine): string[] {
  return [
    `Node ${node} on ${platform} ${arch}, ${cores} cores (${processor}), ${size(memoryBytes)} of memory`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  ];
}

function tableOf(reports: readonly Report[]): string[] {
  const rows = reports.map(({ device, usable, why, selfTest }) => {
    if (!selfTest) return [device, usable ? 'untested' : 'no', '', '', '', '', why];
    const { passed, gradientError, stepsPerSecond, bytesPerStep, placement } = selfTest;
    return [
      device,
      passed ? 'works' : 'WRONG',
      gradientError.toPrecision(2),
      stepsPerSecond.toPrecision(3),
      size(bytesPerStep),
      placement && device !== 'cpu' ? `${placement.onProcessor} of ${placement.nodes}` : '',
      why,
    ];
  });
  const head = ['device', '', 'gradient error', 'steps/s', 'moved/step', 'nodes left to cpu', 'what'];
  return alignedRows([head, ...rows]);
}
