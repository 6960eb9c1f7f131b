/** Which devices this machine has: for each provider whether it can be used, why, and what would help. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Provider } from './device.js';
import { deviceError } from './deviceCheck.js';
import { installedTensorflow, loadTensorflow } from './tensorflow.js';

export interface Finding {
  readonly provider: Provider;
  readonly usable: boolean;
  /** What was found, a phrase without a full stop. */
  readonly why: string;
  /** What to install or change so that it can be used, or used better; a full sentence. */
  readonly mend?: string;
}

/** Providers in the order in which a person asks about them. */
export const providers: readonly Provider[] = ['cpu', 'cuda', 'webgpu', 'tensorflow'];

/** Errors above this are not rounding. */
const tolerance = 1e-3;

export async function examine(provider: Provider): Promise<Finding> {
  switch (provider) {
    case 'cpu':
      return { provider, usable: true, why: 'ONNX Runtime on the processor' };
    case 'cuda':
      return examineCuda();
    case 'webgpu':
      return examineWebgpu();
    case 'tensorflow':
      return examineTensorflow();
  }
}

// ---------------------------------------------------------------------------------------------------------------- CUDA

async function examineCuda(): Promise<Finding> {
  const provider = 'cuda';
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    const why = `ONNX Runtime has it for Linux on x64 only; this is ${process.platform} on ${process.arch}`;
    return { provider, usable: false, why };
  }
  if (!existsSync(cudaLibrary())) {
    return {
      provider,
      usable: false,
      why: "ONNX Runtime's CUDA library is not installed (it is too large for the npm package)",
      mend:
        'With an NVIDIA GPU, CUDA 12 and cuDNN 9: ' +
        'ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js',
    };
  }
  return tried(
    provider,
    'ONNX Runtime on CUDA',
    'CUDA 12 and cuDNN 9 must be on the library path (LD_LIBRARY_PATH), beside an NVIDIA driver; `nvidia-smi` tells whether there is one.',
  );
}

/** Where onnxruntime-node's install script puts it. */
function cudaLibrary(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const folder = join(dirname(entry), '../bin/napi-v6', process.platform, process.arch);
  return join(folder, 'libonnxruntime_providers_cuda.so');
}

// -------------------------------------------------------------------------------------------------------------- WebGPU

async function examineWebgpu(): Promise<Finding> {
  const mend =
    process.platform === 'linux'
      ? 'It needs the Vulkan loader (Debian: libvulkan1) and the driver of a GPU; `vulkaninfo --summary` tells what Vulkan sees.'
      : 'It needs a GPU with a current driver.';
  const hardware = graphicsHardware();
  const how = hardware ? `on ${hardware}` : 'in software (no GPU in this machine): slower than the processor';
  return tried('webgpu', `ONNX Runtime on WebGPU, ${how}`, mend);
}

/**
 * Something that a GPU's driver has left, null where there is no sign of one. Vulkan also offers adapters that are programs
 * (SwiftShader, lavapipe) and ONNX Runtime does not tell which one it took. On macOS every adapter is a GPU.
 */
export function graphicsHardware(): string | null {
  if (process.platform !== 'linux') return `the GPU of ${process.platform}`;
  const found = (folder: string, pattern: RegExp) =>
    existsSync(folder) ? readdirSync(folder).find((name) => pattern.test(name)) : undefined;
  const render = found('/dev/dri', /^renderD\d+$/);
  if (render) return `/dev/dri/${render}`;
  const other = found('/dev', /^(nvidia\d+|dxg)$/);
  return other ? `/dev/${other}` : null;
}

// ---------------------------------------------------------------------------------------------------------- TensorFlow

async function examineTensorflow(): Promise<Finding> {
  const provider = 'tensorflow';
  const name = installedTensorflow();
  if (!name) {
    return {
      provider,
      usable: false,
      why: 'neither @tensorflow/tfjs-node-gpu nor @tensorflow/tfjs-node is installed',
      mend: 'scripts/install-tensorflow installs it; with --gpu for CUDA.',
    };
  }
  const mend = `Run scripts/install-tensorflow${name.endsWith('gpu') ? ' --gpu' : ''} again.`;
  let loaded;
  try {
    loaded = loadTensorflow(name);
  } catch (error) {
    return { provider, usable: false, why: `${name} is installed but does not load: ${reason(error)}`, mend };
  }
  const { version, usesGpu } = loaded;
  const where = usesGpu ? 'on the GPU' : 'on the processor';
  return tried(provider, `TensorFlow ${version} by ${name}, ${where}, operation by operation`, mend);
}

// --------------------------------------------------------------------------------------------------------------- trial

/** The finding after a small computation on the device: usable when it ends with the processor's numbers. */
async function tried(provider: Provider, why: string, mend: string): Promise<Finding> {
  try {
    const error = await deviceError({ provider, threads: 1 });
    if (error < tolerance) return { provider, usable: true, why };
    const wrong = `it computes other numbers than the processor: relative error ${error.toPrecision(2)}`;
    return { provider, usable: false, why: wrong, mend };
  } catch (error) {
    return { provider, usable: false, why: reason(error), mend };
  }
}

/** ONNX Runtime's message without the source line and the function in front of it. */
function reason(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line.replace(/^.* was false\. /, '').trim();
}
