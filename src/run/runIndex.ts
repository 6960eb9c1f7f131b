/** run.json: which stages there are and what they wrote; derived from the manifests, so it can always be written anew. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Text, writeText } from './files.js';
import { outputsDigest, readManifest, runFormat, stageNames } from './manifest.js';

export const configPath = (runFolder: string) => join(runFolder, 'config.yaml');
const indexPath = (runFolder: string) => join(runFolder, 'run.json');

export async function writeIndex(runFolder: string): Promise<void> {
  await writeText(indexPath(runFolder), await indexText(runFolder, await configDigest(runFolder)));
}

/** Whether run.json is what the manifests say; null when there is none. `config`: the digest that it should hold of config.yaml. */
export async function indexHolds(runFolder: string, config: string | null): Promise<boolean | null> {
  const present = await readFile(indexPath(runFolder), 'utf8').catch(() => null);
  return present === null ? null : present === (await indexText(runFolder, config));
}

async function indexText(runFolder: string, config: string | null): Promise<string> {
  const stages: Record<string, unknown> = {};
  for (const name of stageNames) {
    const manifest = await readManifest(runFolder, name).catch(() => null);
    if (!manifest) continue;
    stages[name] = {
      manifest: `${name}/stage.json`,
      outputs_sha256: outputsDigest(manifest),
      files: manifest.outputs.length,
      bytes: manifest.outputs.reduce((sum, file) => sum + file.bytes, 0),
    };
  }
  return `${JSON.stringify({ format: runFormat, config_sha256: config, stages }, null, 2)}\n`;
}

/** SHA-256 of config.yaml as it is, or null. */
export async function configDigest(runFolder: string): Promise<string | null> {
  const config = await readFile(configPath(runFolder), 'utf8').catch(() => null);
  return config && sha256Text(config);
}

/** The digest that the index holds of config.yaml; null when there is no index, or none that can be read. */
export async function recordedConfig(runFolder: string): Promise<string | null> {
  try {
    const index: unknown = JSON.parse(await readFile(indexPath(runFolder), 'utf8'));
    const digest = (index as { config_sha256?: unknown }).config_sha256; // checked in the next line
    return typeof digest === 'string' ? digest : null;
  } catch {
    return null; // a missing or damaged index is written anew
  }
}

/** Versions of what the bytes of a run may depend on. */
export function versions(): Record<string, string> {
  const ownPackage = new URL('../../package.json', import.meta.url);
  const own = JSON.parse(readFileSync(ownPackage, 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
  const of = (name: string) => own.dependencies[name] ?? 'none';
  return {
    cascade: own.version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    duckdb: of('@duckdb/node-api'),
    onnxruntime: of('onnxruntime-node'),
    tfjs: of('@tensorflow/tfjs'),
  };
}
