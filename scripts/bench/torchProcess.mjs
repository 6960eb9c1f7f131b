/** A Python process with PyTorch, asked by lines of JSON (torch_step.py). */
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const oneThread = { OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' };

/** Ends the program with exit code 2 where PYTHON names no Python that has torch and these packages. */
export function requireTorch(...packages) {
  const python = process.env.PYTHON;
  const wanted = ['torch', ...packages];
  const found =
    python && spawnSync(python, ['-c', `import ${wanted.join(', ')}`], { stdio: 'ignore' }).status === 0;
  if (found) return python;
  console.error(
    python
      ? `PYTHON=${python} cannot import ${wanted.join(' and ')}: install it there (pip install ${wanted.join(' ')}).`
      : 'PYTHON is not set: name a Python that has torch, such as PYTHON=/path/to/venv/bin/python, or measure our side alone with --ours.',
  );
  process.exit(2);
}

export async function startTorch(python) {
  const child = spawn(python, [join(folder, 'torch_step.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...oneThread },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the PyTorch process ended: see its message above');
    return JSON.parse(value);
  };
  const { torch: version } = await answer();
  return {
    version,
    ask(command) {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      return answer();
    },
    stop: () => child.stdin.end(),
  };
}
