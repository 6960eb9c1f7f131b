/**
 * What is going on, on standard error: a bar with rate and time left on a terminal, plain lines elsewhere (cron, CI). Standard
 * output is left to results.
 */
import cliProgress from 'cli-progress';
import pc from 'picocolors';

export interface Progress {
  /** One line that stays. */
  note(line: string): void;
  /** Work of a known size begins; `unit` is what is counted: requests, steps, items. */
  begin(label: string, total: number, unit: string): Task;
}

interface Task {
  /** `done` of the total, and a few words such as the loss. */
  update(done: number, words?: string): void;
  end(): void;
}

const plainLineEveryMs = 10_000;

/** Progress on a terminal or as plain lines, whichever standard error is. */
export function openProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  return stream.isTTY ? terminalProgress(stream) : plainProgress((line) => stream.write(`${line}\n`));
}

/** No progress at all, for tests and library use. */
export const silentProgress: Progress = {
  note: () => undefined,
  begin: () => ({ update: () => undefined, end: () => undefined }),
};

function terminalProgress(stream: NodeJS.WriteStream): Progress {
  return {
    note: (line) => stream.write(`${line}\n`),
    begin(label, total, unit) {
      const bar = new cliProgress.SingleBar(
        {
          stream,
          clearOnComplete: true,
          hideCursor: true,
          format: `${label} ${pc.cyan('{bar}')} {value}/{total} ${unit}  {rate}/s  {eta_formatted} left  {words}`,
        },
        cliProgress.Presets.shades_classic,
      );
      const started = Date.now();
      const rate = (done: number) => compact((done * 1000) / Math.max(1, Date.now() - started));
      bar.start(total, 0, { words: '', rate: '–' });
      return {
        update: (done, words = '') => {
          bar.update(done, { words, rate: rate(done) });
        },
        end: () => {
          bar.stop();
        },
      };
    },
  };
}

export function plainProgress(write: (line: string) => void, now: () => number = Date.now): Progress {
  return {
    note: write,
    begin(label, total, unit) {
      const started = now();
      let printed = started;
      return {
        update(done, words = '') {
          if (now() - printed < plainLineEveryMs) return;
          printed = now();
          const rate = (done * 1000) / (printed - started);
          const left = duration(rate > 0 ? (total - done) / rate : Number.NaN);
          write(`${label}: ${done} of ${total} ${unit}, ${compact(rate)}/s, ${left} left ${words}`.trimEnd());
        },
        end: () => undefined,
      };
    },
  };
}

const compact = (value: number) => (value >= 100 ? Math.round(value).toString() : value.toPrecision(2));

/** Seconds as a person says them: 45 s, 3 min 20 s, 1 h 5 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
