/** The optional package that brings TensorFlow's C library: found where scripts/install-tensorflow put it, loaded when first needed. */
import { createRequire } from 'node:module';
import { tf } from '../tf.js';

/** The GPU package first: whoever installs it means it. */
const packages = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
const backendName = 'tensorflow';
const require = createRequire(import.meta.url);

export interface Tensorflow {
  readonly package: (typeof packages)[number];
  /** Of the C library. */
  readonly version: string;
  readonly usesGpu: boolean;
}

/** The name of the installed package; null without one. */
export const installedTensorflow = (): Tensorflow['package'] | null => packages.find(isInstalled) ?? null;

/** Loads the installed package, which registers its backend with tfjs; throws what loading throws. */
export function loadTensorflow(name: Tensorflow['package']): Tensorflow {
  const previous = tf.getBackend();
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // else it tells about the processor on standard error
  restoreNodeUtilities();
  require(name); // as CommonJS: its backend class cannot be bundled or renamed
  if (previous) void tf.setBackend(previous); // loading has made its own the current one
  const backend = tf.findBackend(backendName) as unknown as TensorflowBackend; // see below
  return { package: name, version: backend.binding.TF_Version, usesGpu: backend.isUsingGpuDevice };
}

/** Does some work with TensorFlow as tfjs's current backend, which is global: the work is synchronous, so nobody else meets it. */
export function onTensorflow<T>(work: () => T): T {
  const previous = tf.getBackend();
  void tf.setBackend(backendName); // loaded already, so it is set before this returns
  try {
    return tf.tidy(work as () => tf.TensorContainer) as T;
  } finally {
    if (previous) void tf.setBackend(previous);
  }
}

/** What the packages add to tfjs's interface of a backend (their dist/nodejs_kernel_backend.d.ts). */
interface TensorflowBackend {
  readonly binding: { readonly TF_Version: string };
  readonly isUsingGpuDevice: boolean;
}

function isInstalled(name: string): boolean {
  try {
    require.resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}

/** Node 23 removed two old helpers that the packages call: without them loading succeeds and the first product throws. */
function restoreNodeUtilities(): void {
  const util = require('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}
