/**
 * Errors a user can mend. Facts first: what is wrong (`code`), where (`where`, `subject`), one sentence of what, one of how to mend.
 * A sentence is put together in one place (`describeError`); everything else that is thrown is a bug of ours and prints as
 * `internal:` with its stack.
 */

/** Exit codes of the command line: 0 done, 1 failed (data, device, disk, internal), 2 usage or config, 3 a gate said no. */
export const exitCodes = { done: 0, failed: 1, usage: 2, gate: 3 } as const;

export interface Problem {
  /** Stable, dotted: `config.unknown_key`, `data.missing_column`, `gate.codebook`. The first word decides the exit code. */
  readonly code: string;
  /** File, table or place: `pipeline.yaml:14:5`, `samples_b/part-00000.parquet`. */
  readonly where?: string;
  /** The key, column or tensor the problem is about. */
  readonly subject?: string;
  /** What is wrong, a full sentence with numbers. */
  readonly what: string;
  /** What to type or change, a full sentence. */
  readonly mend?: string;
}

/** One or more problems that the user can mend; printed without a stack. */
export class CascadeError extends Error {
  override readonly name = 'CascadeError';
  readonly problems: readonly Problem[];

  constructor(problems: Problem | readonly Problem[], options?: { cause?: unknown }) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map((p) => p.what).join('\n'), options);
    this.problems = list;
  }

  get exitCode(): number {
    const kind = this.problems[0]?.code.split('.')[0];
    if (kind === 'gate') return exitCodes.gate;
    return kind === 'config' || kind === 'usage' ? exitCodes.usage : exitCodes.failed;
  }
}

/** The words for a thrown value: every problem in full, or `internal:` with the stack for what we did not expect. */
export function describeError(thrown: unknown): string {
  if (thrown instanceof CascadeError) return thrown.problems.map(describeProblem).join('\n');
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const cause =
    error.cause instanceof Error ? `\n  caused by ${error.cause.stack ?? error.cause.message}` : '';
  return `internal: ${error.stack ?? error.message}${cause}\n  This is a fault of cascade, not of your input. Please report it with the lines above.`;
}

function describeProblem(problem: Problem): string {
  const head = ['error', problem.code, problem.where, problem.subject].filter(Boolean).join('  ');
  const body = [problem.what, problem.mend].filter((s) => s !== undefined).flatMap((s) => s.split('\n'));
  return [head, ...body.map((line) => `       ${line}`)].join('\n');
}

/** A fault of ours: a state that correct code cannot reach. */
export function internal(message: string): never {
  throw new Error(message);
}

/** Makes a `switch` over a closed union fail to compile when a member is added. */
export function assertNever(value: never): never {
  return internal(`unexpected value ${JSON.stringify(value)}`);
}
