/**
 * A config with its faults taken out, so that contradictions between the rest are found in the same run as the faults: unknown keys
 * are removed, bad values give way to the default or to the example of the schema.
 */
import { nearest } from './nearest.js';
import { branchFor, outline, outlineAt, valueAt } from './outline.js';
import type { Path } from './path.js';
import { configSchema, type YamlConfig } from './schema.js';

/** The repaired config and the paths that do not hold what the user wrote; null when it is beyond repair. */
export function repair(value: unknown): { yaml: YamlConfig; replaced: readonly Path[] } | null {
  const replaced: Path[] = [];
  // A repaired section may show faults that zod did not get to see before, so it is looked at again; two rounds do, four are safe.
  for (let round = 0; round < 4; round++) {
    const parsed = configSchema.safeParse(value);
    if (parsed.success) return { yaml: parsed.data, replaced };
    for (const issue of parsed.error.issues) {
      const path = issue.path as Path; // the tree has no symbols as keys
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) {
          replaced.push([...path, meant(key, path, value)]);
          value = without([...path, key], value);
        }
      } else {
        const fixed = replaceable(path, value);
        replaced.push(fixed.path);
        value = fixed.value;
      }
    }
  }
  return null;
}

/** The key that a misspelled one stood for: its value is not what the user wanted either. */
function meant(key: string, path: Path, value: unknown): string {
  const section = outlineAt(path, value) ?? outline;
  const keys = Object.keys(branchFor(section, valueAt(path, value)).properties ?? {});
  return nearest(key, keys) ?? key;
}

/** Takes out the innermost section around the path that has a default or an example to take its place. */
function replaceable(path: Path, value: unknown): { path: Path; value: unknown } {
  const node = outlineAt(path, value);
  const isElement = typeof path.at(-1) === 'number';
  if (!isElement && node && path.at(-1) !== 'kind') {
    if (node.default !== undefined) return { path, value: without(path, value) };
    const example = node.examples?.[0];
    if (example !== undefined) return { path, value: withValue(path, example, value) };
  }
  if (path.length === 0) return { path, value: Object.fromEntries(examples()) };
  return replaceable(path.slice(0, -1), value);
}

const examples = () =>
  (outline.required ?? []).map((key) => [key, outline.properties?.[key]?.examples?.[0]] as const);

const without = (path: Path, value: unknown) => withValue(path, undefined, value);

/** A copy of the tree with one value put in, or its key removed when the value is undefined. */
function withValue(path: Path, child: unknown, section: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return child;
  const inner = withValue(rest, child, valueAt([step], section));
  if (Array.isArray(section)) return section.with(Number(step), inner);
  const entries = Object.entries(section ?? {}).filter(([key]) => key !== step);
  return Object.fromEntries(inner === undefined ? entries : [...entries, [String(step), inner]]);
}
