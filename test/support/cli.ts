/** Runs the command line in this process and catches what it prints. */
import { vi } from 'vitest';
import { main } from '../../src/cli.js';

export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function cascade(...args: string[]): Promise<Printed> {
  const printed = { out: '', err: '' };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.out += String(text);
    return true;
  });
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    printed.err += String(text);
    return true;
  });
  try {
    return { code: await main(args), ...printed };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}
