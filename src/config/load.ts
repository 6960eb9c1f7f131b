/**
 * A pipeline file and the flags of the command line → the config, checked: syntax, keys, types, ranges and contradictions, all
 * problems together, before any data is read. Inside, code trusts its types.
 */
import { homedir } from 'node:os';
import { basename, dirname, extname, resolve } from 'node:path';
import { CascadeError } from '../errors.js';
import { camelKeys, type Config } from './config.js';
import { contradictions } from './contradictions/index.js';
import { explain } from './explain.js';
import { problemsOf, type Fault } from './fault.js';
import { override } from './overrides.js';
import type { Path } from './path.js';
import { readSettingsFile } from './read.js';
import { repair } from './repair.js';
import { configSchema, type YamlConfig } from './schema.js';
import { find, isList, originText, plain, put, type Place, type Written } from './written.js';

export interface LoadOptions {
  /** The YAML file. */
  readonly file: string;
  /** Overrides, `path.to.key=value`, in order. */
  readonly sets?: readonly string[] | undefined;
  /** The run folder; beats the file and the overrides. */
  readonly run?: string | undefined;
}

/** The settings with all defaults, the paths in them absolute. */
type ResolvedYaml = YamlConfig & { readonly run: string };

export interface LoadedConfig {
  readonly config: Config;
  /** The same as YAML spells it. */
  readonly yaml: ResolvedYaml;
  /** Where a value comes from: `default`, `pipeline.yaml:14`, `--set` or `--run`. */
  readonly originOf: (path: Path) => string;
}

/** Throws with every problem that file and overrides have. */
export function loadConfig({ file, sets = [], run }: LoadOptions): LoadedConfig {
  const reading = readSettingsFile(file);
  if (!reading.root) throw new CascadeError(problemsOf(reading.faults));
  const overridden = override(reading.root, sets);
  const written = withRunFlag(overridden.written, run);

  const checked = check(written);
  const faults = [...reading.faults, ...overridden.faults, ...checked.faults];
  if (faults.length > 0 || !checked.yaml) throw new CascadeError(problemsOf(faults));

  const yaml = withAbsolutePaths(checked.yaml, written, file);
  return {
    config: { ...camelKeys(yaml), run: yaml.run },
    yaml,
    originOf: (path) => originOf(written, path),
  };
}

function originOf(written: Written, path: Path): string {
  const found = find(written, path);
  if (!found) return 'default';
  const elements = isList(found.value) ? found.value.filter(({ place }) => place.kind === 'flag') : [];
  return [...new Set([found, ...elements].map(({ place }) => originText(place)))].join(', ');
}

function withRunFlag(written: Written, run: string | undefined): Written {
  if (run === undefined) return written;
  const place: Place = { kind: 'flag', flag: '--run', text: run };
  const changed = put(written, ['run'], { place, value: run });
  return 'barredAt' in changed ? written : changed; // nothing bars a key of the top level
}

/** The settings with defaults filled in, or every fault; contradictions are looked for among what is not at fault itself. */
function check(written: Written): { yaml?: YamlConfig; faults: readonly Fault[] } {
  const value = plain(written);
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return { yaml: parsed.data, faults: contradictions(parsed.data, written) };
  const faults = parsed.error.issues.flatMap((issue) => explain(issue, written, value));
  const repaired = repair(value);
  return {
    faults: repaired ? [...faults, ...contradictions(repaired.yaml, written, repaired.replaced)] : faults,
  };
}

// --------------------------------------------------------------------------------------------------------------- paths

/** Paths in the file are relative to its folder, paths on the command line to the working directory. */
function withAbsolutePaths(yaml: YamlConfig, written: Written, file: string): ResolvedYaml {
  const absolute = (path: Path, text: string) => {
    const fromFile = find(written, path)?.place.kind === 'file';
    return resolve(fromFile ? dirname(file) : '.', text.replace(/^~(?=\/|$)/, homedir()));
  };
  const { logs, codebook } = yaml;
  const vectors = codebook.item_vectors;
  return {
    ...yaml,
    run: yaml.run === undefined ? defaultRun(file) : absolute(['run'], yaml.run),
    logs: 'source' in logs ? { ...logs, source: absolute(['logs', 'source'], logs.source) } : logs,
    ...(vectors && {
      codebook: {
        ...codebook,
        item_vectors: { ...vectors, path: absolute(['codebook', 'item_vectors', 'path'], vectors.path) },
      },
    }),
  };
}

const defaultRun = (file: string) => resolve('runs', basename(file, extname(file)));
